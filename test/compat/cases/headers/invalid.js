import { caught } from "../../worker/report.js";

const setting = (name, value) => caught(() => { const h = new Headers(); h.set(name, value); return [...h]; });

const names = ["", " ", "a b", "a:b", "a\n", "é", "a\0", "(", ")", "<", "@", ",", ";", "\\", "\"", "/", "[", "?", "=", "{"];
const values = ["a\0b", "a\nb", "a\rb", "\r\n", "a\u007fb", "a\u0001b", "x\ty"];

const table = {};
for (const name of names) table[`name ${JSON.stringify(name)}`] = () => setting(name, "v");
for (const value of values) table[`value ${JSON.stringify(value)}`] = () => setting("a", value);
for (const name of ["!#$%&'*+-.^_`|~09AZaz"]) table[`name ${JSON.stringify(name)}`] = () => setting(name, "v");
table["append bad name"] = () => caught(() => new Headers().append("a b", "c"));
table["has bad name"] = () => caught(() => new Headers().has("a b"));
table["get bad name"] = () => caught(() => new Headers().get("a b"));
table["delete bad name"] = () => caught(() => new Headers().delete("a b"));
table["constructor bad name"] = () => caught(() => [...new Headers({ "a b": "c" })]);
table["constructor bad value"] = () => caught(() => [...new Headers({ a: "c\nd" })]);

export default table;
