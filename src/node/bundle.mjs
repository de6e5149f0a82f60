// Turns the Node modules into embedded scripts, one per module, each compiled only when it is first required:
//
//     (function (native, global) { return function (require, module, exports, web) { ... } })
//
// Files of js/ become a script each; npm packages of the table below too, with everything they bring. Async functions
// are lowered to generators: their waits then go through Promise.prototype.then, which keeps the async context.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

// Script name -> file of a package.
const PACKAGES = {
    readable_stream: 'readable-stream/lib/stream.js',
    url_legacy: 'url/url.js',
    punycode: 'punycode/punycode.js',
    parseargs: '@pkgjs/parseargs/index.js',
};
// What packages require, by the script that answers for it here.
const INSTEAD = {
    'buffer': 'buffer', 'events': 'events', 'string_decoder/': 'string_decoder', 'string_decoder': 'string_decoder',
    'process/': 'process_small', 'abort-controller': 'abort_controller', 'punycode/': 'punycode', 'punycode': 'punycode', 'qs': 'qs_small',
};
// Files of packages that a script of ours replaces.
const FILES_INSTEAD = { 'readable-stream/lib/ours/util/inspect.js': 'inspect' };

const options = {
    charset: 'ascii', target: 'safari18', minifySyntax: true, minifyWhitespace: true, legalComments: 'none', logLevel: 'error',
    supported: { 'async-await': false, 'async-generator': false, 'for-await': false },
};

const instead = {
    name: 'instead',
    setup(b) {
        b.onResolve({ filter: /.*/ }, (args) => {
            if (args.kind === 'entry-point') return undefined;
            if (Object.hasOwn(INSTEAD, args.path)) return { path: INSTEAD[args.path], external: true };
            if (args.path.startsWith('.')) {
                const full = path.resolve(args.resolveDir, args.path) + (args.path.endsWith('.js') ? '' : '.js');
                const hit = Object.keys(FILES_INSTEAD).find((file) => full.endsWith(`node_modules/${file}`));
                if (hit !== undefined) return { path: FILES_INSTEAD[hit], external: true };
            }
            return undefined;
        });
    },
};

function wrap(code) {
    return `(function (native, global) { "use strict"; return function (require, module, exports, web) {${code}\n}; })`;
}

async function packageScript(name, inputs) {
    const result = await build({
        ...options, entryPoints: [path.join(modules, PACKAGES[name])], bundle: true, write: false, format: 'cjs', platform: 'neutral',
        mainFields: ['main'], metafile: true, plugins: [instead], logOverride: { 'commonjs-variable-in-esm': 'silent' },
    });
    inputs.push(...Object.keys(result.metafile.inputs));
    return wrap(result.outputFiles[0].text.trim());
}

async function fileScript(file, inputs) {
    inputs.push(file);
    const { code } = await transform(readFileSync(file, 'utf8'), { ...options, sourcefile: file, loader: 'js' });
    return wrap(code.trim());
}

// Returns [{ name, text }] and the files they came from.
export async function nodeScripts(dir) {
    const inputs = [];
    const files = readdirSync(dir).filter((f) => f.endsWith('.js') && f !== 'loader.js');
    const jobs = files.map(async (f) => ({ name: f.slice(0, -3), text: await fileScript(path.join(dir, f), inputs) }));
    for (const name of Object.keys(PACKAGES)) jobs.push(packageScript(name, inputs).then((text) => ({ name, text })));
    const scripts = await Promise.all(jobs);
    scripts.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { scripts, inputs };
}
