// Specifier -> module, the same in the linker (to know the graph) and at run time.
//
// A specifier is a URL relative to the importing module inside the bundle. A bare one is a name of
// the bundle first, then relative to the importer, then a built-in (`fs` also means `node:fs`).

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;

// "dir/a.js" + "../b.js" -> "b.js". Returns null when it climbs out of the bundle.
function join(referrer, specifier) {
    const parts = specifier.startsWith('/') ? [] : referrer.split('/').slice(0, -1);
    for (const part of specifier.split('/')) {
        if (part === '' || part === '.') continue;
        if (part !== '..') parts.push(part);
        else if (parts.length === 0) return null;
        else parts.pop();
    }
    return parts.join('/');
}

function decode(path) {
    if (!path.includes('%')) return path;
    try {
        return decodeURIComponent(path);
    } catch {
        return path;
    }
}

// A module's name as given, or its path without a query, or decoded.
function findName(path, names) {
    if (names.has(path)) return path;
    const plain = path.replace(/[?#].*$/, '');
    if (names.has(plain)) return plain;
    const decoded = decode(plain);
    if (names.has(decoded)) return decoded;
    // Some tools register their modules as "./name".
    if (names.has('./' + decoded)) return './' + decoded;
    return null;
}

function findRelative(referrer, specifier, names) {
    const path = join(referrer, specifier);
    return path === null ? null : findName(path, names);
}

function findBuiltin(specifier, isBuiltin) {
    if (isBuiltin(specifier)) return specifier;
    if (!SCHEME.test(specifier) && isBuiltin('node:' + specifier)) return 'node:' + specifier;
    return null;
}

// names: Set (or Map) of the bundle's modules. isBuiltin(name) -> boolean.
// Returns {name, builtin}, or {missing: name for the message}, or {invalid: true}.
export function resolve(referrer, specifier, names, isBuiltin) {
    if (specifier === '' || specifier.includes('\0')) return { invalid: true };
    const isFile = specifier.startsWith('file:///');
    const path = isFile ? specifier.slice('file://'.length) : specifier;
    const isPath = /^(\/|\.\.?(\/|$))/.test(path);

    if (!isPath && names.has(path)) return { name: path, builtin: false };
    if (isPath || !SCHEME.test(path)) {
        const name = findRelative(referrer, path, names);
        if (name !== null) return { name, builtin: false };
    }
    if (!isPath) {
        const name = findBuiltin(path, isBuiltin);
        return name === null ? { missing: path } : { name, builtin: true };
    }
    const joined = join(referrer, path);
    return joined === null ? { invalid: true } : { missing: joined };
}
