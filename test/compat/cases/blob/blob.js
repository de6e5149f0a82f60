import { bytes, caught, chunksOf, kind, text } from "../../worker/report.js";

const types = ["", "text/plain", "Text/PLAIN", "a;b=C", "\u00e9", "a\0", "not a type", "text/plain;charset=utf-8"];
const table = {};
for (const type of types) table[`type ${JSON.stringify(type)}`] = () => new Blob([], { type }).type;
const slices = [[], [1], [1, 3], [-3], [-3, -1], [3, 1], [0, 99], [99], [1, undefined], [null, 2]];
for (const s of slices) table[`slice ${JSON.stringify(s)}`] = () => new Blob(["hello"]).slice(...s).text();

export default {
    ...table,
    "parts": async () => new Blob(["a", bytes("b"), bytes("c").buffer, new Blob(["d"]), new DataView(bytes("e").buffer), 5, {}]).text(),
    "size": () => [new Blob().size, new Blob(["\u00e9"]).size, new Blob([new Uint8Array(7)]).size],
    "no iterable": () => kind(() => new Blob("abc")),
    "null parts": () => kind(() => new Blob(null)),
    "slice type": () => new Blob(["x"], { type: "a/b" }).slice(0, 1, "C/D").type,
    "slice without type": () => new Blob(["x"], { type: "a/b" }).slice(0, 1).type,
    "arrayBuffer": async () => new Blob(["xy"]).arrayBuffer(),
    "bytes": async () => new Blob(["xy"]).bytes(),
    "stream": async () => text(await new Response(new Blob(["stream"]).stream()).arrayBuffer()),
    "stream chunks are bytes": async () => (await chunksOf(new Blob(["abc"]).stream())).every((c) => c instanceof Uint8Array),
    "text twice": async () => { const b = new Blob(["x"]); return [await b.text(), await b.text()]; },
    "parts are copied": async () => { const b = bytes("abc"); const blob = new Blob([b]); b[0] = 0x7a; return blob.text(); },
    "endings": async () => new Blob(["a\r\nb"], { endings: "native" }).text(),
    "tag": () => [Object.prototype.toString.call(new Blob()), Object.prototype.toString.call(new File([], "x"))],
    "File": () => { const f = new File(["abc"], "n.txt", { type: "text/x", lastModified: 5 }); return [f.name, f.size, f.type, f.lastModified, f instanceof Blob]; },
    "File without name": () => kind(() => new File(["x"])),
    "File name converted": () => new File([], 5).name,
    "File slash in name": () => new File([], "a/b").name,
    "File lastModified default": () => { const f = new File([], "x"); return typeof f.lastModified === "number" && Math.abs(f.lastModified - Date.now()) < 60000; },
    "File slice is Blob": () => { const s = new File(["abc"], "x").slice(0, 1); return [s instanceof File, s instanceof Blob]; },
    "bad decoding": async () => new Blob([new Uint8Array([0xff, 0x61])]).text(),
    "text keeps BOM?": async () => (await new Blob([new Uint8Array([0xef, 0xbb, 0xbf, 0x61])]).text()).length,
    "caught symbol part": () => kind(() => caught(() => new Blob([Symbol("x")]))),
};
