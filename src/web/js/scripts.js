/*
 * Scripts that are evaluated when they are first needed: src/web/scripts.mjs says which, the bundler puts the calls
 * in. A script gets what it takes of this one from a table, and gives an object of all it exports.
 */

const scripts = new Map(); // name → exports
const listeners = new Map(); // name → functions to call with them
const { defineProperty, getOwnPropertyDescriptor, getOwnPropertyDescriptors } = Object;
let table = null, taken = null;

/* make() gives the table: file → names → values. The bundler writes it (scripts:table), main.js hands it in. */
export function setTable(make) {
    table = make;
}

function part(file) {
    taken ??= table();
    return taken[file];
}

/* Of a script that was evaluated. */
export function loaded(name) {
    return scripts.get(name);
}

export function load(name) {
    return scripts.get(name) ?? evaluate(name);
}

/* When it throws (no stack left, no time left) the next call tries again. */
function evaluate(name) {
    const exports = native.script(name);
    scripts.set(name, exports);
    for (const fn of listeners.get(name) ?? []) fn(exports);
    return exports;
}

/* fn(exports), once the script has been evaluated and before anybody gets something of it. */
export function onLoad(name, fn) {
    listeners.set(name, [...listeners.get(name) ?? [], fn]);
}

native.scripts = { take: (file, name) => part(file)[name], live: part, load, loaded, need: (script, name) => load(script)[name] };

/* --- globals that are made when they are first looked at --- */

const pending = new Map(); // name → its getter

/* An accessor until it is read or written; who asks for its descriptor sees a plain property. */
export function lazyGlobal(name, enumerable, make) {
    const put = (value) => {
        pending.delete(name);
        defineProperty(global, name, { value, writable: true, configurable: true, enumerable });
    };
    const get = () => {
        const value = make();
        put(value);
        return value;
    };
    pending.set(name, get);
    defineProperty(global, name, { get, set: put, configurable: true, enumerable });
}

function settle(object, key) {
    if (object !== global) return;
    const get = pending.get(key);
    if (get !== undefined && getOwnPropertyDescriptor(object, key)?.get === get) get();
}

/* A bound function looks like one of the engine's: no source, no prototype. */
function replace(holder, name, fn) {
    const { value: original } = getOwnPropertyDescriptor(holder, name);
    const bound = fn.bind(undefined);
    for (const key of ["name", "length"]) defineProperty(bound, key, getOwnPropertyDescriptor(original, key));
    defineProperty(holder, name, { value: bound, writable: true, configurable: true, enumerable: false });
}

export function hideLazyGlobals() {
    for (const holder of [Object, Reflect]) {
        const { getOwnPropertyDescriptor: original } = holder;
        replace(holder, "getOwnPropertyDescriptor", (object, key) => {
            settle(object, key);
            return original(object, key);
        });
    }
    replace(Object, "getOwnPropertyDescriptors", (object) => {
        if (object === global) for (const key of [...pending.keys()]) settle(object, key);
        return getOwnPropertyDescriptors(object);
    });
}
