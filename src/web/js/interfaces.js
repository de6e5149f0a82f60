/* The classes of the runtime, as WebIDL wants them to look. */

/* Their prototypes: what structuredClone() refuses, and whose getters console.log() shows. */
export const runtimePrototypes = new WeakSet();

const INTERNAL = Symbol.for("cloudflare:internal-class");
const OF_CLASSES = new Set(["constructor", "length", "name", "prototype"]);

/* Methods of a class are enumerable in WebIDL; and objects say their class. */
export function asInterface(name, cls) {
    const { prototype } = cls;
    if (!Object.hasOwn(prototype, Symbol.toStringTag))
        Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
    for (const owner of [prototype, cls]) for (const key of Object.getOwnPropertyNames(owner)) {
        const descriptor = Object.getOwnPropertyDescriptor(owner, key);
        if (OF_CLASSES.has(key) || !descriptor.configurable || descriptor.enumerable) continue;
        descriptor.enumerable = true;
        Object.defineProperty(owner, key, descriptor);
    }
    Object.defineProperty(prototype, INTERNAL, { value: INTERNAL }); // how upstream's tests of equality know them
    Object.defineProperty(cls, "name", { value: name, configurable: true }); // bundling may have renamed it
    runtimePrototypes.add(prototype);
}
