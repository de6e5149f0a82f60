import { b, readA } from "./_cycle-b.js";
export let a = "a";
export function fromB() { return b; }
export function changeA(value) { a = value; }
export { readA };
