import { a, fromB } from "./_cycle-a.js";
export const b = "b";
export function readA() { return a; }
export function through() { return fromB(); }
let early;
try {
    early = a;
} catch (e) {
    early = e.name;
}
export { early };
