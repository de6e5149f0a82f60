// ES modules, from instantiation to the end of their evaluation. Names and order are those of the
// specification (InnerModuleEvaluation, AsyncModuleExecutionFulfilled and so on).
import { evaluateSynthetic } from './synthetic.js';

export function instantiate(registry, record) {
    let meta;
    const ctx = {
        import: (specifier, options) => registry.importFrom(record.name, specifier, options),
        importSource: (specifier) => registry.importSource(record.name, specifier),
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
export function startCyclic(registry, record) {
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

export function innerEvaluate(registry, record, stack, index) {
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

// Both registries of upstream have their own words.
function awaitsText(specifier, newRegistry) {
    if (!newRegistry) return 'Top-level await in module is not permitted at this time.';
    return (
        'Use of top-level await in a synchronously required module is restricted to promises ' +
        'that are resolved synchronously. This includes any top-level awaits in the ' +
        `entrypoint module for a worker. Specifier: "${specifier}".`
    );
}

// require() is synchronous: nothing it reaches may wait, and nothing may be in the middle of running.
export function checkRequired(root, specifier, newRegistry) {
    const seen = new Set([root]);
    for (const record of seen) {
        if (record.kind !== 'esm' || record.status === 'evaluated') continue;
        if (record.status === 'evaluating')
            throw new Error(`Circular dependency when resolving module: ${specifier}`);
        if (record.hasTla || record.asyncOrder > 0) throw new Error(awaitsText(specifier, newRegistry));
        for (const dep of record.deps) seen.add(dep);
    }
}
