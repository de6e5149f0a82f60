/*
 * Bundles a built-in script into the form that vm_bootstrap() takes:
 *
 *     (function (native, global) { ...; return hooks; })
 *
 * The entry exports `hooks`; all of its files use `native` and `global` as free names. The text is ASCII.
 */
import { build } from "esbuild";

/* Returns {text, inputs: paths relative to the working directory}. */
export async function bundle(entry, { minify = true } = {}) {
    const result = await build({
        entryPoints: [entry],
        bundle: true,
        write: false,
        format: "iife",
        globalName: "bundled",
        charset: "ascii",
        target: "es2024",
        minifySyntax: minify,
        minifyWhitespace: minify,
        legalComments: "none",
        metafile: true,
        banner: { js: '(function (native, global) { "use strict";' },
        footer: { js: "return bundled.hooks; })" },
        logLevel: "error",
    });
    return { text: result.outputFiles[0].text, inputs: Object.keys(result.metafile.inputs) };
}
