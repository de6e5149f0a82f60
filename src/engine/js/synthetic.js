// Modules that are not ES modules: CommonJS, assets and built-ins.
import { builtinNamespace } from './bindings.js';

const WasmModule = globalThis.WebAssembly?.Module;

export function makeRequire(registry, referrer) {
    const require = (specifier) => registry.requireFrom(referrer, specifier);
    require.resolve = (specifier) => registry.resolve(referrer, `${specifier}`).name ?? specifier;
    require.cache = Object.create(null);
    return require;
}

// A module that is still running gives what it has exported so far, as in Node.
export function loadCommon(registry, record) {
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

export function evaluateSynthetic(registry, record) {
    if (record.status === 'evaluated') return;
    if (record.kind === 'cjs') {
        loadCommon(registry, record);
        return;
    }
    if (record.kind === 'builtin') builtinNamespace(record);
    else record.value = READ_ASSET[record.type](registry.assets.load(record.name, record.type));
    record.status = 'evaluated';
}

// What a source phase import gives: only WebAssembly has a source.
export function checkSource(record, specifier) {
    if (record.kind !== 'asset' || record.type !== 'wasm')
        throw new SyntaxError(`Source phase import not available for module: ${specifier}`);
}

export function sourceOf(registry, record, specifier) {
    checkSource(record, specifier);
    evaluateSynthetic(registry, record);
    return record.value;
}
