// Module namespace objects: null prototype, sorted keys, live, read-only. One difference from the
// specification can be seen: a property is an accessor where the language shows a data property.

export function createNamespace(getters) {
    const namespace = Object.create(null);
    for (const name of Object.keys(getters).sort()) {
        const get = getters[name];
        Object.defineProperty(namespace, name, { get, enumerable: true, configurable: false });
    }
    Object.defineProperty(namespace, Symbol.toStringTag, { value: 'Module' });
    return Object.preventExtensions(namespace);
}
