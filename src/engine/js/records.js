// What the registry keeps about each module.

function notReady(name) {
    return () => {
        throw new ReferenceError(`Cannot access '${name}' before initialization`);
    };
}

class Record {
    constructor(name, kind) {
        this.name = name;
        this.kind = kind; // esm, cjs, asset or builtin
        this.status = 'new'; // new, linked, evaluating, evaluating-async, evaluated
        this.error = null; // {error} after a failure
        this.namespace = null;
    }
}

export class EsmRecord extends Record {
    constructor(name, deps, body, meta) {
        super(name, 'esm');
        this.specifiers = deps;
        this.body = body;
        this.meta = meta;
        this.hasTla = meta.async === true;
        this.deps = null; // records, once resolved
        this.getters = Object.create(null); // exported name -> () => value, given by exp()
        this.locals = new Map(); // exported name -> local name, which identifies a binding
        const { exports = [] } = meta;
        for (let i = 0; i < exports.length; i += 2) {
            this.locals.set(exports[i], exports[i + 1]);
            this.getters[exports[i]] = notReady(exports[i]);
        }
        this.from = new Map((meta.from ?? []).map(([exported, dep, name]) => [exported, { dep, name }]));
        this.stars = meta.stars ?? [];
        // Of the evaluation, as in the specification.
        this.order = -1;
        this.ancestor = -1;
        this.cycleRoot = null;
        this.asyncOrder = 0; // 0 = not asynchronous, -1 = was, and is done
        this.pending = 0;
        this.asyncParents = [];
        this.capability = null;
    }
}

export class CjsRecord extends Record {
    constructor(name, body, meta) {
        super(name, 'cjs');
        this.body = body;
        this.meta = meta;
        this.module = null;
    }
}

export class AssetRecord extends Record {
    constructor(name, type) {
        super(name, 'asset');
        this.type = type;
        this.value = undefined;
    }
}

export class BuiltinRecord extends Record {
    constructor(name, load) {
        super(name, 'builtin');
        this.load = load;
    }
}
