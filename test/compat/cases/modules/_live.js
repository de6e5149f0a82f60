export let count = 0;
export const step = () => { count += 1; };
export default count;
export { count as renamed };
export function hoisted() { return "hoisted"; }
export class Thing { value = 5; }
