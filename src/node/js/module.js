/* node:module: createRequire over the Worker's own modules and the built-in ones. */
const { codes: { ERR_INVALID_ARG_VALUE }, notImplemented, validateString } = require("./errors.js");

const names = Object.keys(web.MODULES);
const builtinModules = names.filter((n) => !web.PREFIX_ONLY.includes(n)).concat(web.PREFIX_ONLY.map((n) => `node:${n}`)).sort();

function isBuiltin(name) {
    if (typeof name !== "string") return false;
    return name.startsWith("node:") ? names.includes(name.slice(5)) : names.includes(name) && !web.PREFIX_ONLY.includes(name);
}

function createRequire(path) {
    const text = path instanceof URL ? path.href : path;
    if (typeof text !== "string" || !(text.startsWith("/") || text.startsWith("file:")))
        throw new ERR_INVALID_ARG_VALUE("filename", path, "must be a file URL object, file URL string, or absolute path string");
    const require = web.registry().createRequire(text);
    require.main = undefined;
    require.extensions = Object.create(null);
    return require;
}

function Module(id = "", parent = undefined) {
    this.id = id;
    this.path = require("./path.js").dirname(id);
    this.exports = {};
    this.filename = null;
    this.loaded = false;
    this.children = [];
}
Object.assign(Module.prototype, {
    load: () => notImplemented("module.Module.load"),
    require(id) {
        validateString(id, "id");
        return createRequire("/")(id);
    },
    _compile: () => notImplemented("module.Module._compile"),
});

Object.assign(Module, {
    Module, builtinModules, isBuiltin, createRequire, _cache: Object.create(null), _pathCache: Object.create(null),
    _extensions: { ".js": () => notImplemented("module._extensions"), ".json": () => notImplemented("module._extensions"), ".node": () => notImplemented("module._extensions") },
    globalPaths: [], _debug() {}, _findPath: () => false, _nodeModulePaths: () => [], _resolveLookupPaths: () => null,
    _load: (id) => createRequire("/")(id), _resolveFilename: (id) => id, _initPaths() {}, _preloadModules() {}, _readPackage() {}, syncBuiltinESMExports() {},
    findSourceMap: () => undefined, findPackageJSON: () => undefined, register: () => notImplemented("module.register"),
    registerHooks: () => notImplemented("module.registerHooks"), runMain: () => notImplemented("module.runMain"),
    wrap: (script) => `(function (exports, require, module, __filename, __dirname) { ${script}\n});`, constants: { compileCacheStatus: { __proto__: null, FAILED: 0, ENABLED: 1, ALREADY_ENABLED: 2, DISABLED: 3 } },
    enableCompileCache: () => ({ status: 3 }), flushCompileCache() {}, getCompileCacheDir: () => undefined,
    getSourceMapsSupport: () => ({ enabled: false, nodeModules: false, generatedCode: false }), setSourceMapsSupport() {},
    stripTypeScriptTypes: () => notImplemented("module.stripTypeScriptTypes"),
    SourceMap: class SourceMap {
        constructor() { notImplemented("SourceMap"); }
    },
});
module.exports = Module;
