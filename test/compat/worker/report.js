// Runs a table of cases inside a Worker and makes what they return comparable: the same text on
// every engine that behaves the same. Used unchanged on workerd and on Selvedge.

const CASE_LIMIT_MS = 4000;

/** @param {ArrayBuffer | ArrayBufferView} bytes */
export function hex(bytes) {
    const view = ArrayBuffer.isView(bytes)
        ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        : new Uint8Array(bytes);
    return Array.from(view, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Text of an error, for messages that belong to the platform. */
export function errorText(e) {
    if (e === null || typeof e !== "object") return `thrown ${String(e)}`;
    return `${e.name}: ${e.message}`;
}

/** "Name: message" of what `fn` throws or rejects with, else what it returned. */
export async function caught(fn) {
    try {
        return { returned: await fn() };
    } catch (e) {
        return errorText(e);
    }
}

/** Only the class of the error: for messages that belong to the engine, not to the platform. */
export async function kind(fn) {
    try {
        return { returned: await fn() };
    } catch (e) {
        return e !== null && typeof e === "object" ? e.name : `thrown ${String(e)}`;
    }
}

/** Every chunk of a stream, as they came. */
export async function chunksOf(stream) {
    const chunks = [];
    const reader = stream.getReader();
    for (;;) {
        const { done, value } = await reader.read();
        if (done) return chunks;
        chunks.push(value);
    }
}

export function bytes(text) {
    return new TextEncoder().encode(text);
}

export function text(buffer) {
    return new TextDecoder().decode(buffer);
}

export function later(ms = 1) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

function encodeNumber(v) {
    if (Number.isFinite(v) && !Object.is(v, -0)) return v;
    return { $: "number", v: Object.is(v, -0) ? "-0" : String(v) };
}

function encodeView(v) {
    const name = v.constructor.name;
    if (name === "Uint8Array" || name === "DataView") return { $: name, hex: hex(v) };
    return { $: name, items: Array.from(v, (x) => encode(x, [])) };
}

function encodeObject(v, path) {
    if (v instanceof Error || (typeof DOMException === "function" && v instanceof DOMException))
        return { $: "error", text: errorText(v) };
    if (v instanceof ArrayBuffer) return { $: "ArrayBuffer", hex: hex(v) };
    if (ArrayBuffer.isView(v)) return encodeView(v);
    if (v instanceof Date) return { $: "Date", v: Number.isNaN(+v) ? "invalid" : v.toISOString() };
    if (v instanceof RegExp) return { $: "RegExp", v: String(v) };
    if (v instanceof Map) return { $: "Map", v: encode([...v], path) };
    if (v instanceof Set) return { $: "Set", v: encode([...v], path) };
    if (v instanceof Headers) return { $: "Headers", v: encode([...v], path) };
    if (Array.isArray(v)) return Array.from(v, (x) => encode(x, path));
    const out = {};
    const name = Object.getPrototypeOf(v)?.constructor?.name;
    if (name !== undefined && name !== "Object") out.$ = name;
    // Absent and undefined are the same here, as they are for JSON.
    for (const key of Object.keys(v))
        if (v[key] !== undefined) out[key] = encode(v[key], path);
    return out;
}

/** A JSON-able picture of any value. */
export function encode(v, path = []) {
    switch (typeof v) {
    case "string":
    case "boolean":
        return v;
    case "number":
        return encodeNumber(v);
    case "object":
        if (v === null) return null;
        if (path.includes(v)) return { $: "cycle" };
        return encodeObject(v, [...path, v]);
    case "bigint":
    case "symbol":
        return { $: typeof v, v: String(v) };
    default:
        return { $: typeof v };
    }
}

async function runCase(fn, t) {
    let timer;
    const limit = new Promise((resolve) => {
        timer = setTimeout(() => resolve({ $: "never settled" }), CASE_LIMIT_MS);
    });
    try {
        const work = (async () => ({ value: encode(await fn(t)) }))();
        return await Promise.race([work, limit]);
    } catch (e) {
        return { threw: errorText(e) };
    } finally {
        clearTimeout(timer);
    }
}

/** Answers `?only=file/entry` with one case, else with all, in order. */
export async function answer(request, env, ctx, files) {
    const url = new URL(request.url);
    const only = url.searchParams.get("only");
    if (url.searchParams.has("names")) return Response.json(namesOf(files));
    const results = {};
    for (const [file, table] of Object.entries(files)) {
        for (const [name, fn] of Object.entries(table)) {
            const id = `${file}/${name}`;
            if (only !== null && only !== id) continue;
            results[id] = await runCase(fn, { env, ctx, request, url });
        }
    }
    return new Response(JSON.stringify(results), { headers: { "content-type": "application/json" } });
}

function namesOf(files) {
    return Object.entries(files).flatMap(([file, table]) =>
        Object.keys(table).map((name) => `${file}/${name}`));
}
