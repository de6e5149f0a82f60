// The run-time side of the linker: the module registry of one isolate.
//
// Follows the specification of ECMAScript modules (InnerModuleEvaluation and its neighbours), so
// that order, cycles, live bindings and top-level await come out as in any other host; a graph
// without top-level await is evaluated without a single promise.
//
//   const registry = createRegistry({ builtins, assets, flags, frame });
//   evaluate(code)(registry.rt);
//   const namespace = registry.evaluate(main);        // or a promise of it
//
// builtins   object or Map: name -> () => namespace object
// assets     { load(name, type) } -> string (text, json), bytes (data), bytes or Module (wasm)
// flags      { requireReturnsDefault }
// frame      { cur }: the holder of the current async-context frame
import { createNamespace } from './namespace.js';
import { resolve } from './resolve.js';
import { UsingScope } from './using_scope.js';

const WasmModule = globalThis.WebAssembly?.Module;

// --- records ---

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

class EsmRecord extends Record {
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

class CjsRecord extends Record {
    constructor(name, body, meta) {
        super(name, 'cjs');
        this.body = body;
        this.meta = meta;
        this.module = null;
    }
}

class AssetRecord extends Record {
    constructor(name, type) {
        super(name, 'asset');
        this.type = type;
        this.value = undefined;
    }
}

class BuiltinRecord extends Record {
    constructor(name, load) {
        super(name, 'builtin');
        this.load = load;
    }
}

// --- names: which binding an exported name means ---

const AMBIGUOUS = Symbol('ambiguous');

function hasBuiltinName(record, name) {
    return name in builtinNamespace(record);
}

function builtinNamespace(record) {
    record.namespace ??= record.load();
    return record.namespace;
}

// Returns {record, name, key}, null when there is none, or AMBIGUOUS. `name` is what to ask that
// record for (null: its namespace), `key` tells two bindings apart.
function findExport(registry, record, name, seen) {
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
function commonNames(registry, record, seen = new Set()) {
    seen.add(record);
    const names = [...record.meta.names];
    for (const specifier of record.meta.reexports) {
        const found = registry.find(record.name, specifier);
        if (found?.kind === 'cjs' && !seen.has(found)) names.push(...commonNames(registry, found, seen));
    }
    return names;
}

function exportedNames(record, seen = new Set()) {
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

// --- the registry ---

class Registry {
    constructor({ builtins = {}, assets = { load: () => undefined }, flags = {}, frame = { cur: undefined } }) {
        this.records = new Map();
        this.builtins = builtins instanceof Map ? builtins : new Map(Object.entries(builtins));
        this.builtinRecords = new Map();
        this.assets = assets;
        this.flags = flags;
        this.main = null;
        this.frame = frame;
        this.asyncCounter = 0;
        this.evaluations = new Set(); // records with an unsettled capability
    }

    // --- finding modules ---

    lookUp(found) {
        if (found.name === undefined) return null;
        if (!found.builtin) return this.records.get(found.name);
        let record = this.builtinRecords.get(found.name);
        if (record === undefined) {
            record = new BuiltinRecord(found.name, this.builtins.get(found.name));
            this.builtinRecords.set(found.name, record);
        }
        return record;
    }

    resolve(referrer, specifier) {
        return resolve(referrer, specifier, this.records, (name) => this.builtins.has(name));
    }

    find(referrer, specifier) {
        return this.lookUp(this.resolve(referrer, specifier));
    }

    get(referrer, specifier) {
        const found = this.resolve(referrer, specifier);
        if (found.invalid)
            throw new TypeError(`Invalid module specifier "${specifier}".\n  imported from "${referrer}".`);
        const record = this.lookUp(found);
        if (!record) throw new Error(`No such module "${found.missing}".\n  imported from "${referrer}"`);
        return record;
    }

    // --- linking ---

    // Resolves everything `root` reaches, checks every imported name, and only then lets the modules
    // make their variables: an error leaves nothing half done. Children before parents.
    link(root) {
        if (root.status !== 'new') return;
        const fresh = this.collect(root);
        try {
            for (const record of fresh) this.checkNames(record);
        } catch (error) {
            for (const record of fresh) record.deps = null;
            throw error;
        }
        for (const record of fresh) record.status = 'linked';
        for (const record of fresh) instantiate(this, record);
        for (const record of fresh) if (record.meta.cyclic) startCyclic(this, record);
    }

    // The ES modules that are not linked yet, in post-order, with an explicit stack: chains are long.
    collect(root) {
        const fresh = [];
        if (root.kind !== 'esm') return fresh;
        const seen = new Set([root]);
        const stack = [{ record: root, next: 0 }];
        try {
            root.deps = this.resolveDeps(root);
            while (stack.length > 0) {
                const top = stack[stack.length - 1];
                if (top.next === top.record.deps.length) {
                    fresh.push(stack.pop().record);
                    continue;
                }
                const dep = top.record.deps[top.next++];
                if (dep.kind !== 'esm' || dep.status !== 'new' || seen.has(dep)) continue;
                seen.add(dep);
                dep.deps = this.resolveDeps(dep);
                stack.push({ record: dep, next: 0 });
            }
        } catch (error) {
            for (const record of seen) record.deps = null;
            throw error;
        }
        return fresh;
    }

    resolveDeps(record) {
        return record.specifiers.map((item) => {
            const [specifier, attributes] = typeof item === 'string' ? [item, null] : item;
            const dep = this.get(record.name, specifier);
            checkAttributes(dep, specifier, attributes);
            return dep;
        });
    }

    checkNames(record) {
        const { imports = [] } = record.meta;
        for (let i = 0; i < imports.length; i += 2) this.checkName(record, imports[i], imports[i + 1]);
        for (const { dep, name } of record.from.values()) if (name !== null) this.checkName(record, dep, name);
    }

    checkName(record, dep, name) {
        const found = findExport(this, record.deps[dep], name, new Map());
        if (found !== null && found !== AMBIGUOUS) return;
        const item = record.specifiers[dep];
        const specifier = typeof item === 'string' ? item : item[0];
        throw new SyntaxError(
            found === AMBIGUOUS
                ? `The requested module '${specifier}' contains conflicting star exports for name '${name}'`
                : `The requested module '${specifier}' does not provide an export named '${name}'`,
        );
    }

    // --- namespaces ---

    namespaceOf(record) {
        if (record.kind === 'builtin') return builtinNamespace(record);
        record.namespace ??= createNamespace(this.gettersOf(record));
        return record.namespace;
    }

    gettersOf(record) {
        const getters = Object.create(null);
        if (record.kind === 'asset') getters.default = () => record.value;
        else if (record.kind === 'cjs') {
            for (const name of commonNames(this, record)) getters[name] = () => record.module?.exports?.[name];
            getters.default = () => record.module?.exports;
        } else {
            for (const name of exportedNames(record)) {
                const found = findExport(this, record, name, new Map());
                if (found !== null && found !== AMBIGUOUS) getters[name] = this.getterOf(found);
            }
        }
        return getters;
    }

    getterOf({ record, name }) {
        if (name === null) return () => this.namespaceOf(record);
        if (record.kind !== 'esm') return () => this.namespaceOf(record)[name];
        // Before the module has run, the getter it will give is not known yet.
        const { getters } = record;
        return record.status === 'evaluated' ? getters[name] : () => getters[name]();
    }

    // --- evaluation ---

    // Returns undefined when everything ran, or a promise when something awaits. Throws what the
    // modules throw.
    evaluateRecord(root) {
        if (root.kind !== 'esm') return evaluateSynthetic(this, root);
        this.link(root);
        let record = root;
        if (record.cycleRoot !== null && /^evaluat(ed|ing-async)$/.test(record.status)) record = record.cycleRoot;
        if (record.error !== null) throw record.error.error;
        if (record.status === 'evaluated') return undefined;
        if (record.capability !== null) return record.capability.promise;

        const stack = [];
        try {
            innerEvaluate(this, record, stack, 0);
        } catch (error) {
            for (const member of stack) {
                member.status = 'evaluated';
                member.error = { error };
            }
            throw error;
        }
        if (record.asyncOrder <= 0) return undefined;
        record.capability = Promise.withResolvers();
        this.evaluations.add(record);
        return record.capability.promise;
    }

    evaluate(name = this.rt.main) {
        const record = this.records.get(name);
        if (!record) throw new Error(`No such module "${name}".`);
        this.main = name;
        const waiting = this.evaluateRecord(record);
        if (waiting === undefined) return this.namespaceOf(record);
        return waiting.then(() => this.namespaceOf(record));
    }

    // --- import(), import.meta, require() ---

    async importFrom(referrer, specifier, options) {
        const text = `${specifier}`;
        const attributes = readOptions(options);
        // Never inside the caller's own evaluation: a module that is running must not be re-entered.
        await undefined;
        const record = this.get(referrer, text);
        checkAttributes(record, text, attributes);
        const waiting = this.evaluateRecord(record);
        if (waiting !== undefined) await waiting;
        return this.namespaceOf(record);
    }

    createMeta(name) {
        const meta = Object.create(null);
        meta.url = `file:///${name}`;
        meta.main = name === this.main;
        meta.resolve = (specifier) => {
            const found = this.resolve(name, `${specifier}`);
            if (found.invalid) throw new TypeError(`Invalid module specifier "${specifier}".`);
            return found.builtin ? found.name : `file:///${found.name ?? found.missing}`;
        };
        return meta;
    }

    requireFrom(referrer, specifier) {
        if (typeof specifier !== 'string') throw new TypeError('The specifier must be a string');
        const record = this.get(referrer, specifier);
        if (record.kind === 'cjs') return loadCommon(this, record).exports;
        if (record.kind === 'asset') {
            evaluateSynthetic(this, record);
            return record.value;
        }
        if (record.kind === 'builtin') {
            const namespace = builtinNamespace(record);
            return 'default' in namespace ? namespace.default : namespace;
        }
        return this.requireEsm(record, specifier);
    }

    requireEsm(record, specifier) {
        this.link(record);
        checkRequired(record, specifier);
        this.evaluateRecord(record);
        const namespace = this.namespaceOf(record);
        if ('module.exports' in namespace) return namespace['module.exports'];
        const isOnlyDefault = Object.keys(namespace).length === 1 && 'default' in namespace;
        return this.flags.requireReturnsDefault && isOnlyDefault ? namespace.default : namespace;
    }

    createRequire(path) {
        const name = `${path}`.replace(/^file:\/\//, '').replace(/^\/+/, '');
        return makeRequire(this, name);
    }

    // Where a line of the linked script comes from: {module, line}, or null.
    locate(line) {
        let best = null;
        for (const record of this.records.values()) {
            const start = record.meta?.line;
            if (start === undefined || start > line || (best && best.meta.line > start)) continue;
            best = record;
        }
        return best && { module: best.name, line: line - best.meta.line + 1 };
    }
}

// --- import attributes ---

const ATTRIBUTE_TYPES = { json: 'json', text: 'text', bytes: 'data' };

function checkAttributes(record, specifier, attributes) {
    if (attributes === null) return;
    for (const key of Object.keys(attributes))
        if (key !== 'type' || !Object.hasOwn(ATTRIBUTE_TYPES, attributes.type))
            throw new TypeError('Unrecognized import attributes specified');
    if (attributes.type === undefined) return;
    if (record.kind !== 'asset' || record.type !== ATTRIBUTE_TYPES[attributes.type])
        throw new TypeError(`Module "${specifier}" is not of type "${attributes.type}"`);
}

function readOptions(options) {
    if (options === undefined) return null;
    if (typeof options !== 'object' || options === null)
        throw new TypeError('The second argument of import() must be an object');
    const attributes = options.with;
    if (attributes === undefined) return null;
    if (typeof attributes !== 'object' || attributes === null)
        throw new TypeError("The 'with' option of import() must be an object");
    const read = {};
    for (const key of Object.keys(attributes)) {
        if (typeof attributes[key] !== 'string') throw new TypeError('Import attribute value must be a string');
        read[key] = attributes[key];
    }
    return Object.keys(read).length > 0 ? read : null;
}

// --- ES modules: instantiation and execution ---

function instantiate(registry, record) {
    let meta;
    const ctx = {
        import: (specifier, options) => registry.importFrom(record.name, specifier, options),
        get meta() {
            meta ??= registry.createMeta(record.name);
            return meta;
        },
        nameDefault: (fn) => Object.defineProperty(fn, 'name', { value: 'default' }),
    };
    const exp = (getters) => Object.assign(record.getters, getters);
    const { setters, execute } = (0, record.body)(exp, ctx);
    record.setters = setters;
    record.execute = execute;
    record.body = null;
}

function runSetters(registry, record) {
    record.setters.forEach((set, index) => set?.(registry.namespaceOf(record.deps[index])));
    record.setters = [];
}

// In a cycle the functions must be there before anybody runs; the body's generator does that in its
// first step.
function startCyclic(registry, record) {
    runSetters(registry, record);
    record.steps = (0, record.execute)();
    record.start = record.steps.next();
}

// Resumes a body whose awaits are yields, as `await` would.
function drive(steps) {
    const { promise, resolve: succeed, reject } = Promise.withResolvers();
    function step(method, value) {
        let result;
        try {
            result = method === 'next' ? steps.next(value) : steps.throw(value);
        } catch (error) {
            reject(error);
            return;
        }
        if (result.done) succeed();
        else wait(result.value);
    }
    function wait(value) {
        Promise.resolve(value).then(
            (settled) => step('next', settled),
            (error) => step('throw', error),
        );
    }
    step('next');
    return promise;
}

// Returns a promise when the module has top-level await.
function execute(registry, record) {
    if (!record.meta.cyclic) {
        runSetters(registry, record);
        return (0, record.execute)();
    }
    if (!record.hasTla) return void record.steps.next();
    const isAsyncGenerator = typeof record.start?.then === 'function';
    return isAsyncGenerator ? record.steps.next() : drive(record.steps);
}

function executeAsync(registry, record) {
    let running;
    try {
        running = execute(registry, record);
    } catch (error) {
        running = Promise.reject(error);
    }
    running.then(
        () => asyncFulfilled(registry, record),
        (error) => asyncRejected(registry, record, error),
    );
}

function executeSync(registry, record) {
    execute(registry, record);
}

// The names below are those of the specification: InnerModuleEvaluation and so on.
function innerEvaluate(registry, record, stack, index) {
    if (record.kind !== 'esm') {
        evaluateSynthetic(registry, record);
        return index;
    }
    if (record.status === 'evaluating-async' || record.status === 'evaluated') {
        if (record.error !== null) throw record.error.error;
        return index;
    }
    if (record.status === 'evaluating') return index;

    record.status = 'evaluating';
    record.order = record.ancestor = index++;
    record.pending = 0;
    stack.push(record);
    for (const dep of record.deps) {
        index = innerEvaluate(registry, dep, stack, index);
        if (dep.kind === 'esm') awaitDep(record, dep);
    }
    if (record.pending > 0 || record.hasTla) {
        record.asyncOrder = ++registry.asyncCounter;
        if (record.pending === 0) executeAsync(registry, record);
    } else executeSync(registry, record);

    if (record.ancestor === record.order) closeCycle(record, stack);
    return index;
}

function awaitDep(record, dep) {
    let required = dep;
    if (dep.status === 'evaluating') record.ancestor = Math.min(record.ancestor, dep.ancestor);
    else {
        required = dep.cycleRoot;
        if (required.error !== null) throw required.error.error;
    }
    if (required.asyncOrder > 0) {
        record.pending++;
        required.asyncParents.push(record);
    }
}

function closeCycle(root, stack) {
    for (;;) {
        const member = stack.pop();
        member.status = member.asyncOrder > 0 ? 'evaluating-async' : 'evaluated';
        member.cycleRoot = root;
        if (member === root) return;
    }
}

function settle(registry, record, method, value) {
    registry.evaluations.delete(record);
    record.capability?.[method](value);
}

// Parents that wait for nothing else any more, and whose own parents then do not either.
function gatherAncestors(record, into) {
    for (const parent of record.asyncParents) {
        if (into.has(parent) || parent.cycleRoot?.error) continue;
        if (--parent.pending > 0) continue;
        into.add(parent);
        if (!parent.hasTla) gatherAncestors(parent, into);
    }
    return into;
}

function asyncFulfilled(registry, record) {
    if (record.status === 'evaluated') return;
    record.asyncOrder = -1;
    record.status = 'evaluated';
    settle(registry, record, 'resolve');
    const ready = [...gatherAncestors(record, new Set())].sort((a, b) => a.asyncOrder - b.asyncOrder);
    for (const parent of ready) {
        if (parent.status === 'evaluated') continue;
        if (parent.hasTla) {
            executeAsync(registry, parent);
            continue;
        }
        try {
            executeSync(registry, parent);
        } catch (error) {
            asyncRejected(registry, parent, error);
            continue;
        }
        parent.asyncOrder = -1;
        parent.status = 'evaluated';
        settle(registry, parent, 'resolve');
    }
}

function asyncRejected(registry, record, error) {
    if (record.status === 'evaluated') return;
    record.error = { error };
    record.status = 'evaluated';
    record.asyncOrder = -1;
    for (const parent of record.asyncParents) asyncRejected(registry, parent, error);
    settle(registry, record, 'reject', error);
}

// require() is synchronous: nothing it reaches may wait, and nothing may be in the middle of running.
function checkRequired(root, specifier) {
    const seen = new Set([root]);
    for (const record of seen) {
        if (record.kind !== 'esm' || record.status === 'evaluated') continue;
        if (record.status === 'evaluating')
            throw new Error(`Circular dependency when resolving module: ${specifier}`);
        if (record.hasTla || record.asyncOrder > 0)
            throw new Error(
                'Use of top-level await in a synchronously required module is restricted to promises ' +
                    'that are resolved synchronously. This includes any top-level awaits in the ' +
                    `entrypoint module for a worker. Specifier: "${specifier}".`,
            );
        for (const dep of record.deps) seen.add(dep);
    }
}

// --- CommonJS and assets ---

function makeRequire(registry, referrer) {
    const require = (specifier) => registry.requireFrom(referrer, specifier);
    require.resolve = (specifier) => registry.resolve(referrer, `${specifier}`).name ?? specifier;
    require.cache = Object.create(null);
    return require;
}

// A module that is still running gives what it has exported so far, as in Node.
function loadCommon(registry, record) {
    if (record.module !== null) return record.module;
    const { name } = record;
    const slash = name.lastIndexOf('/');
    const module = { id: name, filename: `/${name}`, loaded: false, exports: {}, children: [], paths: [] };
    module.require = makeRequire(registry, name);
    record.module = module;
    try {
        const directory = slash === -1 ? '/' : `/${name.slice(0, slash)}`;
        record.body.call(module.exports, module, module.exports, module.require, `/${name}`, directory);
        module.loaded = true;
    } catch (error) {
        // The next require() tries again.
        record.module = null;
        throw error;
    }
    return module;
}

const READ_ASSET = {
    json: (value) => JSON.parse(value),
    text: (value) => value,
    data: (value) => (ArrayBuffer.isView(value) ? value.slice().buffer : value),
    wasm: (value) => (value instanceof WasmModule ? value : new WasmModule(value)),
};

function evaluateSynthetic(registry, record) {
    if (record.status === 'evaluated') return;
    if (record.kind === 'cjs') {
        loadCommon(registry, record);
        return;
    }
    if (record.kind === 'builtin') builtinNamespace(record);
    else record.value = READ_ASSET[record.type](registry.assets.load(record.name, record.type));
    record.status = 'evaluated';
}

// --- what the linked script sees, and what the host sees ---

function createRt(registry) {
    const { frame, records } = registry;
    return {
        main: null, // set by the linked script
        esm: (name, deps, body, meta) => void records.set(name, new EsmRecord(name, deps, body, meta)),
        cjs: (name, body, meta) => void records.set(name, new CjsRecord(name, body, meta)),
        asset: (name, type) => void records.set(name, new AssetRecord(name, type)),
        importer: (name) => (specifier, options) => registry.importFrom(name, specifier, options),
        value: (value) => value,
        using: () => new UsingScope(),
        frame,
        restore(value, saved) {
            frame.cur = saved;
            return value;
        },
    };
}

export function createRegistry(options = {}) {
    const registry = new Registry(options);
    registry.rt = createRt(registry);
    return {
        rt: registry.rt,
        evaluate: (name) => registry.evaluate(name),
        import: (specifier, referrer = '') => registry.importFrom(referrer, specifier),
        createRequire: (path) => registry.createRequire(path),
        locate: (line) => registry.locate(line),
        has: (name) => registry.records.has(name),
        // After the microtasks were drained: what to throw when the start-up still waits, else null.
        unsettled: () =>
            registry.evaluations.size > 0 ? new Error('Top-level await in module is unsettled.') : null,
    };
}
