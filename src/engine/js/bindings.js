// Which binding an exported name means: ResolveExport and GetExportedNames of the specification, and
// what takes their place for modules that are not ES modules.

export const AMBIGUOUS = Symbol('ambiguous');

function hasBuiltinName(record, name) {
    return name in builtinNamespace(record);
}

export function builtinNamespace(record) {
    record.namespace ??= record.load();
    return record.namespace;
}

// Returns {record, name, key}, null when there is none, or AMBIGUOUS. `name` is what to ask that
// record for (null: its namespace), `key` tells two bindings apart.
export function findExport(registry, record, name, seen) {
    if (record.kind !== 'esm') return findSynthetic(registry, record, name, seen);
    let names = seen.get(record);
    if (names === undefined) seen.set(record, (names = new Set()));
    if (names.has(name)) return null;
    names.add(name);

    if (record.locals.has(name)) return { record, name, key: record.locals.get(name) };
    const forwarded = record.from.get(name);
    if (forwarded !== undefined) {
        const target = record.deps[forwarded.dep];
        if (forwarded.name === null) return { record: target, name: null, key: null };
        return findExport(registry, target, forwarded.name, seen);
    }
    return name === 'default' ? null : findStarred(registry, record, name, seen);
}

function findStarred(registry, record, name, seen) {
    let found = null;
    for (const dep of record.stars) {
        const next = findExport(registry, record.deps[dep], name, seen);
        if (next === AMBIGUOUS) return AMBIGUOUS;
        if (next === null) continue;
        if (found !== null && (found.record !== next.record || found.key !== next.key)) return AMBIGUOUS;
        found ??= next;
    }
    return found;
}

function findSynthetic(registry, record, name) {
    const has =
        record.kind === 'builtin'
            ? hasBuiltinName(record, name)
            : name === 'default' || (record.kind === 'cjs' && commonNames(registry, record).includes(name));
    return has ? { record, name, key: name } : null;
}

// The names a CommonJS module shows in its text, and those of the modules it exports again.
export function commonNames(registry, record, seen = new Set()) {
    seen.add(record);
    const names = [...record.meta.names];
    for (const specifier of record.meta.reexports) {
        const found = registry.find(record.name, specifier);
        if (found?.kind === 'cjs' && !seen.has(found)) names.push(...commonNames(registry, found, seen));
    }
    return names;
}

export function exportedNames(record, seen = new Set()) {
    if (record.kind === 'builtin') return Object.keys(builtinNamespace(record));
    if (record.kind === 'cjs') return ['default', ...record.meta.names];
    if (record.kind === 'asset') return ['default'];
    if (seen.has(record)) return [];
    seen.add(record);
    const names = new Set([...record.locals.keys(), ...record.from.keys()]);
    for (const dep of record.stars)
        for (const name of exportedNames(record.deps[dep], seen)) if (name !== 'default') names.add(name);
    return [...names];
}
