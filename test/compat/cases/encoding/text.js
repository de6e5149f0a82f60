import { caught, hex, kind } from "../../worker/report.js";

const decode = (label, list, options) => () => caught(() => new TextDecoder(label, options).decode(new Uint8Array(list)));
const labels = ["utf8", "UTF-8", " utf-8\n", "unicode-1-1-utf-8", "latin1", "ascii", "iso-8859-1", "windows-1252", "utf-16", "utf-16le", "utf-16be", "iso-8859-2", "shift_jis", "gbk", "gb18030", "big5", "euc-jp", "euc-kr", "koi8-r", "macintosh", "x-user-defined", "utf-7", "", "utf-32", "replacement", "iso-8859-8-i", "windows-1251"];
const table = {};
for (const label of labels) table[`label ${JSON.stringify(label)}`] = () => caught(() => new TextDecoder(label).encoding);

const byteCases = {
    "ascii": [0x61, 0x62], "two": [0xc3, 0xa9], "three": [0xe2, 0x82, 0xac], "four": [0xf0, 0x9f, 0x98, 0x80], "bom": [0xef, 0xbb, 0xbf, 0x61], "lone": [0x80], "overlong": [0xc0, 0x80], "cut": [0xe2, 0x82], "surrogate": [0xed, 0xa0, 0x80],
    "beyond": [0xf4, 0x90, 0x80, 0x80], "ff": [0xff, 0x61, 0xfe], "cut then ascii": [0xf0, 0x9f, 0x61], "nul": [0, 0x61],
};
for (const [name, list] of Object.entries(byteCases)) {
    table[`utf-8 ${name}`] = decode("utf-8", list);
    table[`utf-8 fatal ${name}`] = decode("utf-8", list, { fatal: true });
    table[`utf-8 ignoreBOM ${name}`] = decode("utf-8", list, { ignoreBOM: true });
}
const streamed = (label, parts, options) => () => caught(() => {
    const d = new TextDecoder(label, options);
    return [...parts.map((p) => d.decode(new Uint8Array(p), { stream: true })), d.decode()];
});

export default {
    ...table,
    "utf-16le": decode("utf-16le", [0x61, 0, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde]),
    "utf-16le bom": decode("utf-16le", [0xff, 0xfe, 0x61, 0]),
    "utf-16le odd": decode("utf-16le", [0x61, 0, 0x62]),
    "utf-16le lone surrogate": decode("utf-16le", [0x00, 0xd8, 0x61, 0]),
    "utf-16be": decode("utf-16be", [0, 0x61, 0x20, 0xac]),
    "windows-1252": decode("latin1", [0x80, 0x9f, 0xe9, 0x81]),
    "iso-8859-2": decode("iso-8859-2", [0xb1, 0xe6]),
    "windows-1251": decode("windows-1251", [0xcf, 0xf0]),
    "koi8-r": decode("koi8-r", [0xf0, 0xd2]),
    "shift_jis": decode("shift_jis", [0x93, 0xfa, 0x96, 0x7b]),
    "euc-kr": decode("euc-kr", [0xc7, 0xd1]),
    "gbk": decode("gbk", [0xc4, 0xe3]),
    "big5": decode("big5", [0xa7, 0x41]),
    "stream split": streamed("utf-8", [[0xe2], [0x82], [0xac, 0x61], [0xf0, 0x9f]]),
    "stream split bom": streamed("utf-8", [[0xef], [0xbb], [0xbf, 0x61]]),
    "stream fatal": streamed("utf-8", [[0x61], [0xff]], { fatal: true }),
    "stream utf-16": streamed("utf-16le", [[0x61], [0, 0x3d], [0xd8, 0], [0xde]]),
    "reuse after end": () => { const d = new TextDecoder(); d.decode(new Uint8Array([0xe2]), { stream: true }); const a = d.decode(); return [a, d.decode(new Uint8Array([0x61]))]; },
    "decode nothing": () => new TextDecoder().decode(),
    "decode ArrayBuffer": () => new TextDecoder().decode(new Uint8Array([0x61]).buffer),
    "decode DataView": () => new TextDecoder().decode(new DataView(new Uint8Array([0x61, 0x62, 0x63]).buffer, 1)),
    "decode Uint16Array": () => new TextDecoder().decode(new Uint16Array([0x4241])),
    "decode string": () => kind(() => new TextDecoder().decode("x")),
    "decode null": () => kind(() => new TextDecoder().decode(null)),
    "decoder properties": () => { const d = new TextDecoder("utf-16le", { fatal: true, ignoreBOM: true }); return [d.encoding, d.fatal, d.ignoreBOM]; },
    "encoder properties": () => new TextEncoder().encoding,
    "encode": () => hex(new TextEncoder().encode("a\u00e9\u20ac\u{1f600}\0")),
    "encode nothing": () => new TextEncoder().encode().length,
    "encode undefined": () => new TextEncoder().encode(undefined).length,
    "encode null": () => hex(new TextEncoder().encode(null)),
    "encode lone surrogates": () => hex(new TextEncoder().encode("\ud800a\udc00")),
    "encode class": () => new TextEncoder().encode("x").constructor.name,
    "encodeInto": () => { const u = new Uint8Array(8); const r = new TextEncoder().encodeInto("a\u20acb\u{1f600}", u); return [r, hex(u)]; },
    "encodeInto small": () => { const u = new Uint8Array(2); const r = new TextEncoder().encodeInto("a\u20ac", u); return [r, hex(u)]; },
    "encodeInto surrogates": () => { const u = new Uint8Array(5); const r = new TextEncoder().encodeInto("\ud800\u{1f600}", u); return [r, hex(u)]; },
    "encodeInto wrong": () => kind(() => new TextEncoder().encodeInto("a", new ArrayBuffer(1))),
    "tags": () => [Object.prototype.toString.call(new TextEncoder()), Object.prototype.toString.call(new TextDecoder())],
    "large": () => new TextDecoder().decode(new TextEncoder().encode("\u00e9".repeat(50000))).length,
};
