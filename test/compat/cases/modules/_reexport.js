export * from "./_live.js";
export * as ns from "./_live.js";
export { step as again, default as original } from "./_live.js";
export const hoisted = "shadowed";
