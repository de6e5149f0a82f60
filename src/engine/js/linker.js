// Turns the modules of an upload into ONE classic script, since the engine's C API has no module
// loader. Runs once per deployed version, in a sandboxed process: the input is hostile.
//
//   link({main, modules: [{name, type, source}], flags}) -> {code, map, als, errors}
//
// `code` evaluates to a function that takes the runtime (registry.js) and registers every module:
//
//   rt.esm(name, deps, function (exp, ctx) { …; return {setters, execute} }, meta)
//   rt.cjs(name, function (module, exports, require, __filename, __dirname) { … }, meta)
//   rt.asset(name, type)
//
// How an ES module is rewritten. Its body becomes the body of `execute`, edited in place.
//  - Exports are closures over the local variables: exp({x: () => x}). So they are live, and a
//    variable in its temporal dead zone throws by itself; no write has to be tracked.
//  - An import is a copy, made by a setter just before `execute` runs, when the exporting module is
//    done and never changes the variable again (no function of it assigns to it). Otherwise each
//    use reads the namespace (`$n0.x`): for variables that change, and in modules of a cycle, which
//    may run before what they import.
//  - In a cycle `execute` is a generator: its first step hoists the functions and calls exp(), the
//    second runs the body, in one scope, as the specification wants. Top-level `await` is `yield`
//    there, so that no turn is lost before the body starts. Elsewhere `execute` is plain or async.
import { Edits, blank, countLines, skipWord } from './ast.js';
import { connect, liveImports, markCycles, readDeclarations } from './graph.js';
import { eachUse } from './scope.js';
import { readCommonNames } from './commonjs.js';
import { LinkerParser } from './parser.js';
import { transform } from './transform.js';
import { mentionsAsyncContext } from './als.js';

const SOURCE_CHARS_MAX = 64 * 1024 * 1024;
const MODULES_MAX = 20000;

class LinkError extends Error {
    constructor(text, module, line, column) {
        super(text);
        this.entry = { text, module, line, column };
    }
}

function position(source, pos) {
    const before = source.slice(0, pos);
    const start = Math.max(
        before.lastIndexOf('\n'),
        before.lastIndexOf('\r'),
        before.lastIndexOf('\u2028'),
        before.lastIndexOf('\u2029'),
    );
    return { line: countLines(before) + 1, column: pos - start };
}

// acorn says "Unexpected token"; name the token, as the engines do.
function describe(message, source, pos) {
    if (message !== 'Unexpected token') return message;
    if (pos >= source.length) return 'Unexpected end of input';
    const token = /[\p{ID_Continue}$]+|[^]/uy;
    token.lastIndex = pos;
    return `Unexpected token '${token.exec(source)?.[0] ?? source[pos]}'`;
}

function linkError(error, module) {
    if (error instanceof LinkError) return error;
    const { name, source } = module;
    if (error instanceof SyntaxError && typeof error.pos === 'number') {
        const { line, column } = position(source, error.pos);
        const message = describe(error.message.replace(/ \(\d+:\d+\)$/, ''), source, error.pos);
        return new LinkError(`Uncaught SyntaxError: ${message} at ${name}:${line}:${column}`, name, line, column);
    }
    // Nesting deeper than the stack of the parser or of a pass.
    if (error instanceof RangeError)
        return new LinkError(`Uncaught RangeError: The module is nested too deeply at ${name}:1:1`, name, 1, 1);
    throw error;
}

function parse(module) {
    const isModule = module.type === 'esm';
    module.ast = LinkerParser.parse(module.source, {
        ecmaVersion: 'latest',
        sourceType: isModule ? 'module' : 'script',
        allowReturnOutsideFunction: !isModule,
        allowHashBang: true,
    });
    if (isModule) readDeclarations(module);
}

function checkJson(module) {
    try {
        JSON.parse(module.source);
    } catch (error) {
        const text = `Uncaught SyntaxError: ${error.message} at ${module.name}:1:1`;
        throw new LinkError(text, module.name, 1, 1);
    }
}

// A prefix for our own names that no module contains.
function freePrefix(sources) {
    const used = new Set();
    for (const source of sources) for (const found of source.matchAll(/\$sv(\d*)/g)) used.add(found[1]);
    let suffix = '';
    for (let i = 0; used.has(suffix); i++) suffix = `${i}`;
    return `$sv${suffix}`;
}

// The names our code uses; all start with the bundle's free prefix.
function namesOf(prefix) {
    const names = { rt: 'r', exp: 'e', ctx: 'c', ns: 'n', value: 'v', default: 'd', frame: 'f', restore: 'R' };
    for (const key of Object.keys(names)) names[key] = prefix + names[key];
    return { ...names, saved: prefix + 's', scope: prefix + 'u', error: prefix + 'x', item: prefix + 'w' };
}

const quote = JSON.stringify;

function access(name) {
    return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${quote(name)}]`;
}

// --- ES modules ---

// `export default …`: what stays in the body. The expression gets the name "default" by being the
// value of a property of that name.
function editDefault(module, edits, names) {
    const { source } = module;
    const node = module.defaultNode;
    const { declaration } = node;
    if (/^(Function|Class)Declaration$/.test(declaration.type) && declaration.id) {
        edits.replace(node.start, declaration.start, blank(source.slice(node.start, declaration.start)));
        return;
    }
    if (declaration.type === 'FunctionDeclaration') {
        edits.replace(node.start, declaration.start, blank(source.slice(node.start, declaration.start)));
        let pos = declaration.start;
        if (declaration.async) pos = skipWord(source, pos, 'async');
        pos = skipWord(source, pos, 'function');
        if (declaration.generator) pos = skipWord(source, pos, '*');
        edits.after(pos, ` ${names.default}`);
        return;
    }
    const start = skipWord(source, skipWord(source, node.start, 'export'), 'default');
    edits.replace(node.start, start, `const ${names.default}={default:`);
    const hasSemicolon = source[node.end - 1] === ';' && declaration.type !== 'ClassDeclaration';
    // Behind every insertion that belongs to the expression itself.
    edits.after(hasSemicolon ? node.end - 1 : node.end, '}.default;', 9);
}

function editDeclarations(module, edits, names) {
    for (const node of module.ast.body) {
        switch (node.type) {
        case 'ImportDeclaration':
        case 'ExportAllDeclaration':
            edits.remove(node.start, node.end);
            break;
        case 'ExportNamedDeclaration':
            if (node.declaration) {
                const word = module.source.slice(node.start, node.declaration.start);
                edits.replace(node.start, node.declaration.start, blank(word));
            } else edits.remove(node.start, node.end);
            break;
        case 'ExportDefaultDeclaration':
            module.defaultNode = node;
            editDefault(module, edits, names);
            break;
        }
    }
}

// Uses of an import that must be read through the namespace each time.
function editUses(module, live, edits, names) {
    eachUse(module.ast, live, (node, parent, shorthand) => {
        const { dep, name } = live.get(node.name);
        const read = `${names.ns}${dep}${access(name)}`;
        const isCallee =
            (parent.type === 'CallExpression' && parent.callee === node) ||
            (parent.type === 'TaggedTemplateExpression' && parent.tag === node);
        // Called through a function, so that `this` stays undefined and no line begins with "(".
        const text = isCallee ? `${names.value}(${read})` : read;
        edits.replace(node.start, node.end, shorthand ? `${node.name}:${text}` : text);
    });
}

function exportGetters(module, names) {
    const getters = [];
    const local = (name) => (name === '*default*' ? names.default : name);
    for (const [exported, name] of module.exports) {
        const key = exported === '__proto__' ? '["__proto__"]' : quote(exported);
        getters.push(`${key}:()=>${local(name)}`);
    }
    return getters.length > 0 ? `${names.exp}({${getters.join(',')}});` : '';
}

// Declarations of the import variables, and the setters that fill them: one per dep.
function importCode(module, live, names) {
    const variables = [];
    const bodies = module.deps.map(() => '');
    const needsNamespace = new Set();
    for (const [local, { dep, name }] of module.imports) {
        if (live.has(local)) {
            needsNamespace.add(dep);
            continue;
        }
        variables.push(local);
        bodies[dep] += `${local}=${names.ns}${name === null ? '' : access(name)};`;
    }
    for (const dep of needsNamespace) {
        variables.push(names.ns + dep);
        bodies[dep] += `${names.ns}${dep}=${names.ns};`;
    }
    const setters = bodies.map((body) => (body === '' ? 'null' : `function(${names.ns}){${body}}`));
    return { declare: variables.length > 0 ? `let ${variables.join(',')};` : '', setters: setters.join(',') };
}

function moduleMeta(module, line) {
    const local = (name, exported) => (name === '*default*' ? exported : name);
    const meta = { line };
    if (module.exports.size > 0)
        meta.exports = [...module.exports].flatMap(([exported, name]) => [exported, local(name, exported)]);
    const imports = [...module.imports.values()].filter(({ name }) => name !== null);
    if (imports.length > 0) meta.imports = imports.flatMap(({ dep, name }) => [dep, name]);
    if (module.from.length > 0) meta.from = module.from.map(({ exported, dep, name }) => [exported, dep, name]);
    if (module.stars.length > 0) meta.stars = module.stars;
    if (module.cyclic) meta.cyclic = true;
    if (module.found.awaits) meta.async = true;
    return meta;
}

function executeHead(module) {
    if (!module.cyclic) return module.found.awaits ? 'async function()' : 'function()';
    // `for await` cannot be a yield; an async generator costs one turn at its start.
    return module.found.forAwaits ? 'async function*()' : 'function*()';
}

function isAnonymousFunction(module) {
    const declaration = module.defaultNode?.declaration;
    return declaration?.type === 'FunctionDeclaration' && !declaration.id;
}

function emitEsm(module, names, line) {
    const edits = module.edits;
    editDeclarations(module, edits, names);
    const live = liveImports(module);
    if (live.size > 0) editUses(module, live, edits, names);
    const { declare, setters } = importCode(module, live, names);
    const { found } = module;

    const deps = module.deps.map(({ specifier, attributes, phase }) =>
        attributes || phase ? [specifier, attributes ?? null, phase] : specifier);
    const head = [
        `${names.rt}.esm(${quote(module.name)},${quote(deps)},function(${names.exp},${names.ctx}){"use strict";`,
        `${declare}return{setters:[${setters}],execute:${executeHead(module)}{`,
        found.bodyHead,
        isAnonymousFunction(module) ? `${names.ctx}.nameDefault(${names.default});` : '',
        exportGetters(module, names),
        module.cyclic ? 'yield;' : '',
    ].join('');
    return `${head}\n${edits.apply()}\n${found.bodyTail}}}},${quote(moduleMeta(module, line))});`;
}

// --- the others ---

function emitCjs(module, names, line) {
    const meta = { line, ...readCommonNames(module.ast) };
    const parameters = 'module,exports,require,__filename,__dirname';
    const body = module.edits.apply();
    return `${names.rt}.cjs(${quote(module.name)},function(${parameters}){\n${body}\n},${quote(meta)});`;
}

const EMIT = {
    esm: emitEsm,
    commonjs: emitCjs,
};

function editHashbang(module) {
    if (module.source.startsWith('#!')) module.edits.replace(0, 2, '//');
}

// The function-level `await`s and so on are edited before the declarations, so that at one position
// the inner edit comes first.
function prepare(module, names, als) {
    module.edits = new Edits(module.source);
    module.found = transform(module, names, als);
    editHashbang(module);
}

function emitAll(modules, main, names, als) {
    const out = [`(function(${names.rt}){const ${names.value}=${names.rt}.value`];
    out.push(als ? `,${names.frame}=${names.rt}.frame,${names.restore}=${names.rt}.restore;` : ';');
    out.push(`${names.rt}.main=${quote(main)};\n`);
    let line = 2;
    const map = [];
    for (const module of modules) {
        const emit = EMIT[module.type];
        // The body starts on the line after the registration's own.
        const text = emit
            ? guard(module, () => emit(module, names, line + 1))
            : `${names.rt}.asset(${quote(module.name)},${quote(module.type)});`;
        if (emit) map.push({ module: module.name, line: line + 1 });
        out.push(text, '\n');
        line += countLines(text) + 1;
    }
    out.push('})');
    return { code: out.join(''), map };
}

function guard(module, run) {
    try {
        return run();
    } catch (error) {
        throw linkError(error, module);
    }
}

const TYPES = new Set(['esm', 'commonjs', 'text', 'data', 'json', 'wasm']);

function checkInput(main, modules) {
    if (modules.length > MODULES_MAX) throw new LinkError(`Too many modules: ${modules.length}`, main, 1, 1);
    let chars = 0;
    for (const module of modules) {
        if (!TYPES.has(module.type)) throw new LinkError(`Unknown module type "${module.type}"`, module.name, 1, 1);
        chars += module.source?.length ?? 0;
    }
    if (chars > SOURCE_CHARS_MAX) throw new LinkError('The script is too large', main, 1, 1);
    if (!modules.some((module) => module.name === main))
        throw new LinkError(`No such module "${main}".`, main, 1, 1);
}

function isCode(module) {
    return module.type === 'esm' || module.type === 'commonjs';
}

export function link({ main, modules: given, flags = {} }) {
    const modules = given.map((module) => ({ ...module }));
    try {
        checkInput(main, modules);
        const code = modules.filter(isCode);
        const errors = [];
        for (const module of modules) {
            try {
                if (isCode(module)) guard(module, () => parse(module));
                else if (module.type === 'json' && module.source !== undefined) checkJson(module);
            } catch (error) {
                if (!(error instanceof LinkError)) throw error;
                errors.push(error.entry);
            }
        }
        if (errors.length > 0) return { code: '', errors };

        connect(modules);
        markCycles(modules);
        // For the tests: the form for cycles is right, if slower, for every module.
        if (flags.allCyclic) for (const module of modules) module.cyclic = true;
        const sources = code.map((module) => module.source);
        const names = namesOf(freePrefix(sources));
        const als = flags.als ?? sources.some(mentionsAsyncContext);
        for (const module of code) guard(module, () => prepare(module, names, als));
        return { ...emitAll(modules, main, names, als), als, errors: [] };
    } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        return { code: '', errors: [error.entry] };
    }
}
