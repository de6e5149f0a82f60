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
// flags      { requireReturnsDefault, newRegistry }
// frame      { cur }: the holder of the current async-context frame
import { checkAttributes, readOptions } from './attributes.js';
import { AMBIGUOUS, builtinNamespace, commonNames, exportedNames, findExport } from './bindings.js';
import { checkRequired, innerEvaluate, instantiate, startCyclic } from './evaluation.js';
import { createNamespace } from './namespace.js';
import { AssetRecord, BuiltinRecord, CjsRecord, EsmRecord } from './records.js';
import { resolve } from './resolve.js';
import { checkSource, evaluateSynthetic, loadCommon, makeRequire, sourceOf } from './synthetic.js';
import { UsingScope } from './using_scope.js';

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

    // `from` ends the message of what is not found.
    get(referrer, specifier, from = '') {
        const found = this.resolve(referrer, specifier);
        if (found.invalid) throw new TypeError(`Invalid module specifier "${specifier}".${from && `${from}.`}`);
        const record = this.lookUp(found);
        if (!record) throw new Error(`No such module "${found.missing}".${from}`);
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
            const [specifier, attributes, phase] = typeof item === 'string' ? [item, null] : item;
            const dep = this.get(record.name, specifier, `\n  imported from "${record.name}"`);
            checkAttributes(dep, specifier, attributes);
            if (phase === 'source') checkSource(dep, specifier);
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
        const frame = this.frame.cur;
        // Never inside the caller's own evaluation: a module that is running must not be re-entered.
        await undefined;
        const record = this.get(referrer, text);
        checkAttributes(record, text, attributes);
        const waiting = this.evaluateIn(frame, record);
        if (waiting !== undefined) await waiting;
        return this.namespaceOf(record);
    }

    // A module runs in the async context of the first import() of it.
    evaluateIn(frame, record) {
        const outer = this.frame.cur;
        this.frame.cur = frame;
        try {
            return this.evaluateRecord(record);
        } finally {
            this.frame.cur = outer;
        }
    }

    async importSource(referrer, specifier) {
        const text = `${specifier}`;
        await undefined;
        return sourceOf(this, this.get(referrer, text), text);
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
        checkRequired(record, specifier, this.flags.newRegistry);
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

// --- what the linked script sees, and what the host sees ---

function createRt(registry) {
    const { frame, records } = registry;
    return {
        main: null, // set by the linked script
        esm: (name, deps, body, meta) => void records.set(name, new EsmRecord(name, deps, body, meta)),
        cjs: (name, body, meta) => void records.set(name, new CjsRecord(name, body, meta)),
        asset: (name, type) => void records.set(name, new AssetRecord(name, type)),
        importFor: (name) => (specifier, options) => registry.importFrom(name, specifier, options),
        importSourceFor: (name) => (specifier) => registry.importSource(name, specifier),
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
