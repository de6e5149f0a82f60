/*
 * WebAssembly as Workers may use it: modules come with the upload, bytes cannot be compiled at run time.
 * Instances are made synchronously behind the promise, since the engine's own promise waits for its thread.
 */
const engine = global.WebAssembly;
const EngineModule = engine?.Module; // before it is replaced

/* For modules of the upload. */
export function compileModule(bytes) {
    return new EngineModule(bytes);
}

function refused(where) {
    return new engine.CompileError(`${where}Wasm code generation disallowed by embedder`);
}

export function installWasm() {
    if (engine === undefined) return;
    const { Module, Instance } = engine;
    function WasmModule() {
        throw refused("WebAssembly.Module(): ");
    }
    Object.defineProperty(WasmModule, "name", { value: "Module" });
    WasmModule.prototype = Module.prototype;
    /* Without the types that the engine adds to each. */
    const statics = {
        imports: (m) => Module.imports(m).map(({ module, name, kind }) => ({ module, name, kind })),
        exports: (m) => Module.exports(m).map(({ name, kind }) => ({ name, kind })),
        customSections: Module.customSections,
    };
    for (const [name, value] of Object.entries(statics))
        Object.defineProperty(WasmModule, name, { value, writable: true, configurable: true });
    Object.defineProperty(Module.prototype, "constructor", { value: WasmModule, writable: true, configurable: true });

    const replace = {
        Module: WasmModule,
        instantiate(module, imports = undefined) {
            return Promise.resolve().then(() => {
                if (!(module instanceof Module)) throw refused("WebAssembly.instantiate(): ");
                return new Instance(module, imports);
            });
        },
        compile() {
            return Promise.reject(refused("WebAssembly.compile(): "));
        },
    };
    delete engine.compileStreaming;
    delete engine.instantiateStreaming;
    for (const [name, value] of Object.entries(replace))
        Object.defineProperty(engine, name, { value, writable: true, configurable: true });
}

export function isModule(value) {
    return EngineModule !== undefined && value instanceof EngineModule;
}
