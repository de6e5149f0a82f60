import { caught, kind } from "../../worker/report.js";

const table = {};
for (const s of ["", "a", "ab", "abc", "\u00ff\u0000", "hello world", "\u0100", "a\u{1f600}"]) table[`btoa ${JSON.stringify(s)}`] = () => caught(() => btoa(s));
for (const s of ["", "YQ==", "YWI=", "YWJj", "YQ", "YWI", "Y", "YQ=", "YQ===", " Y W\tJ\nj ", "YWJj=", "_-", "+/8=", "YQ==YQ==", "\u00e9", "Y Q = =", "====", "ab=c", "YR=="]) table[`atob ${JSON.stringify(s)}`] = () => caught(() => atob(s));

export default {
    ...table,
    "btoa number": () => btoa(12),
    "btoa null": () => btoa(null),
    "btoa undefined": () => btoa(undefined),
    "atob null": () => caught(() => atob(null)),
    "btoa no argument": () => kind(() => btoa()),
    "atob no argument": () => kind(() => atob()),
    "error class": () => { try { atob("*"); } catch (e) { return [e instanceof DOMException, e.name, e.code]; } return 0; },
    "round trip": () => { let s = ""; for (let i = 0; i < 256; i++) s += String.fromCharCode(i); return atob(btoa(s)) === s; },
    "large": () => btoa("x".repeat(100000)).length,
    "toBase64": () => [typeof Uint8Array.prototype.toBase64, typeof Uint8Array.fromBase64, typeof Uint8Array.prototype.toHex],
};
