/*
 * Bundles a built-in script into the form that vm_bootstrap() takes:
 *
 *     (function (native, global) { ...; return hooks; })
 *
 * The entry exports `hooks`; all of its files use `native` and `global` as free names. The text is ASCII.
 */
import { build } from "esbuild";

/* The export at the end becomes the function's result. A function around the modules (format "iife") would
 * be shorter to write, but the engine would parse everything once more: 4 ms per isolate. */
function returnHooks(text) {
    const end = /export\s*\{\s*(?:([\w$]+) as )?hooks,?\s*\};?\s*$/;
    if (!end.test(text)) throw new Error("the entry must export hooks and nothing else");
    return text.replace(end, (all, name) => `return ${name ?? "hooks"};})`);
}

/* Returns {text, inputs: paths relative to the working directory}. */
export async function bundle(entry, { minify = true } = {}) {
    const result = await build({
        entryPoints: [entry],
        bundle: true,
        write: false,
        format: "esm",
        charset: "ascii",
        target: "es2024",
        minifySyntax: minify,
        minifyWhitespace: minify,
        legalComments: "none",
        metafile: true,
        banner: { js: '(function (native, global) { "use strict";' },
        logLevel: "error",
    });
    return { text: returnHooks(result.outputFiles[0].text), inputs: Object.keys(result.metafile.inputs) };
}
