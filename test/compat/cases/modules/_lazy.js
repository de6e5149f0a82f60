globalThis.lazyLoaded = (globalThis.lazyLoaded ?? 0) + 1;
export const loaded = globalThis.lazyLoaded;
export default "lazy";
