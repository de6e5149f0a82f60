import { caught, kind } from "../../worker/report.js";

const entry = async (v) => (typeof v === "string" ? v : { file: v.name, type: v.type, text: await v.text() });
const entries = async (form) => Promise.all([...form].map(async ([k, v]) => [k, await entry(v)]));
const F = (...pairs) => { const f = new FormData(); for (const p of pairs) f.append(...p); return f; };
const parse = (body, type) => caught(async () => entries(await new Response(body, { headers: { "content-type": type } }).formData()));
const MP = "multipart/form-data; boundary=B";
const part = (head, body) => `--B\r\n${head}\r\n\r\n${body}\r\n`;
const field = (name, body) => part(`Content-Disposition: form-data; name="${name}"`, body);

export default {
    "append get": () => [F(["a", "1"], ["a", "2"]).get("a"), F(["a", "1"], ["a", "2"]).getAll("a"), F().get("a"), F().getAll("a")],
    "has delete": () => { const f = F(["a", "1"], ["b", "2"]); f.delete("a"); return [f.has("a"), f.has("b")]; },
    "set": async () => { const f = F(["a", "1"], ["b", "2"], ["a", "3"]); f.set("a", "4"); f.set("c", "5"); return entries(f); },
    "number value": async () => entries(F(["a", 1], ["b", null], ["c", undefined])),
    "blob becomes file": async () => entries(F(["a", new Blob(["x"], { type: "t/t" })])),
    "blob with name": async () => entries(F(["a", new Blob(["x"]), "named.bin"])),
    "file keeps name": async () => entries(F(["a", new File(["x"], "f.txt")])),
    "file renamed": async () => entries(F(["a", new File(["x"], "f.txt", { type: "a/b" }), "g.txt"])),
    "filename with string": () => kind(() => F(["a", "x", "name"])),
    "iteration": () => { const f = F(["b", "1"], ["a", "2"]); return [[...f.keys()], [...f.values()], [...f.entries()]]; },
    "forEach": () => { const out = []; F(["b", "1"]).forEach((v, k, s) => out.push([v, k, s instanceof FormData])); return out; },
    "constructor argument": () => kind(() => new FormData({})),
    "tag": () => Object.prototype.toString.call(new FormData()),
    "round trip": async () => entries(await new Response(F(["a", "1\r\n2"], ["q\"uote", "x"], ["f", new File(["file\0body"], "n \"x\".txt", { type: "x/y" })], ["\u00e9", "\u20ac"])).formData()),
    "content type": async () => /^multipart\/form-data; boundary=(\S+)$/.test(new Response(F()).headers.get("content-type")),
    "wire": async () => { const r = new Response(F(["a", "b"], ["f", new File(["x"], "n.txt", { type: "t/t" })])); const boundary = r.headers.get("content-type").split("=")[1].replaceAll('"', ""); return (await r.text()).replaceAll(boundary, "BOUNDARY"); },
    "wire escapes": async () => { const r = new Response(F(["a\"b\r\nc", "v"])); const boundary = r.headers.get("content-type").split("=")[1].replaceAll('"', ""); return (await r.text()).replaceAll(boundary, "BOUNDARY"); },
    "parse simple": () => parse(field("a", "1") + field("b", "2") + "--B--\r\n", MP),
    "parse quoted boundary": () => parse(field("a", "1") + "--B--", 'multipart/form-data; boundary="B"'),
    "parse upper case type": () => parse(field("a", "1") + "--B--", "Multipart/Form-Data; Boundary=B"),
    "parse preamble": () => parse("preamble\r\n" + field("a", "1") + "--B--\r\nepilogue", MP),
    "parse file": () => parse(part('Content-Disposition: form-data; name="f"; filename="x.bin"\r\nContent-Type: a/b', "DATA") + "--B--", MP),
    "parse file without type": () => parse(part('Content-Disposition: form-data; name="f"; filename="x.bin"', "DATA") + "--B--", MP),
    "parse empty filename": () => parse(part('Content-Disposition: form-data; name="f"; filename=""', "") + "--B--", MP),
    "parse lower case header": () => parse(part('content-disposition: form-data; name="f"', "x") + "--B--", MP),
    "parse no boundary": () => parse("x", "multipart/form-data"),
    "parse truncated": () => parse(field("a", "1"), MP),
    "parse no initial": () => parse("garbage", MP),
    "parse no name": () => parse(part("Content-Disposition: form-data", "x") + "--B--", MP),
    "parse wrong disposition": () => parse(part('Content-Disposition: attachment; name="a"', "x") + "--B--", MP),
    "parse no disposition": () => parse(part("X-A: b", "x") + "--B--", MP),
    "parse long boundary": () => parse("x", `multipart/form-data; boundary=${"b".repeat(71)}`),
    "parse empty form": () => parse("--B--\r\n", MP),
    "parse urlencoded": () => parse("a=1&b=%20x+y&a=%C3%A9", "application/x-www-form-urlencoded"),
    "parse urlencoded charset": () => parse("a=1", "application/x-www-form-urlencoded;charset=UTF-8"),
    "parse other type": () => parse("a=1", "text/plain"),
    "parse utf-8 name": () => parse(field("\u00e9", "\u20ac") + "--B--", MP),
    "parse LF only": () => parse('--B\nContent-Disposition: form-data; name="a"\n\n1\n--B--\n', MP),
    "request formData": async () => entries(await new Request("http://a/", { method: "POST", body: F(["a", "1"]) }).formData()),
};
