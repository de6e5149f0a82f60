/*
 * The same script in the isolate's platform and in Node itself: both must return the same. Only what the
 * two platforms agree on stands here; where upstream differs from Node, test/compat has the case.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { run } from "./fake_native.mjs";

const AsyncFunction = (async () => {}).constructor;

const CASES = {
    "streams: start, pull, close": `
        let n = 0;
        const s = new ReadableStream({ start(c) { c.enqueue("s"); }, pull(c) { if (++n > 2) c.close(); else c.enqueue(n); } });
        const out = []; for await (const x of s) out.push(x); return out;`,
    "streams: cancel reason": `
        const log = []; const s = new ReadableStream({ cancel(r) { log.push(r); } });
        await s.cancel("why"); return log;`,
    "streams: error reaches reader": `
        const s = new ReadableStream({ pull(c) { c.error(new RangeError("x")); } });
        try { await s.getReader().read(); } catch (e) { return e.name + e.message; }`,
    "streams: tee both": `
        const s = new ReadableStream({ start(c) { c.enqueue(1); c.enqueue(2); c.close(); } });
        const read = async (b) => { const o = []; for await (const x of b) o.push(x); return o; };
        const [a, b] = s.tee(); return Promise.all([read(a), read(b)]);`,
    "streams: pipe through transform": `
        const s = ReadableStream.from([1, 2, 3]).pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x * 2); }, flush(c) { c.enqueue("end"); } }));
        const out = []; for await (const x of s) out.push(x); return out;`,
    "streams: pipeTo order": `
        const log = [];
        await ReadableStream.from(["a", "b"]).pipeTo(new WritableStream({ write(x) { log.push(x); }, close() { log.push("closed"); } }));
        return log;`,
    "streams: pipeTo sink fails": `
        const log = []; let p;
        const s = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(r) { log.push("cancel " + r.message); } });
        try { await s.pipeTo(new WritableStream({ write() { throw new Error("full"); } })); } catch (e) { log.push(e.message); }
        return log;`,
    "streams: pipeTo source fails": `
        const log = [];
        const s = new ReadableStream({ pull(c) { c.error(new Error("broken")); } });
        try { await s.pipeTo(new WritableStream({ abort(r) { log.push("abort " + r.message); } })); } catch (e) { log.push(e.message); }
        return log;`,
    "streams: pipeTo prevents": `
        const log = []; const w = new WritableStream({ close() { log.push("closed"); } });
        await ReadableStream.from([1]).pipeTo(w, { preventClose: true }); log.push(w.locked); await w.close(); return log;`,
    "streams: pipeTo signal": `
        const c = new AbortController(); const log = [];
        const s = new ReadableStream({ cancel(r) { log.push("c" + r); } });
        const p = s.pipeTo(new WritableStream({ abort(r) { log.push("a" + r); } }), { signal: c.signal });
        c.abort("stop"); try { await p; } catch (e) { log.push("e" + e); } return log.sort();`,
    "streams: backpressure": `
        const w = new WritableStream({ write() { return new Promise((r) => setTimeout(r, 1)); } }, { highWaterMark: 2 }).getWriter();
        const log = [w.desiredSize]; w.write(1); log.push(w.desiredSize); w.write(2); log.push(w.desiredSize);
        await w.ready; log.push(w.desiredSize); await w.close(); return log;`,
    "streams: abort while writing": `
        const log = [];
        const ws = new WritableStream({ start() {}, write() { return new Promise((r) => setTimeout(r, 2)); }, abort(r) { log.push("abort " + r); } });
        const w = ws.getWriter(); const p = w.write(1).then(() => log.push("written"), () => log.push("failed"));
        const q = w.write(2).catch((e) => log.push("second " + e)); await w.abort("x"); await p; await q; return log;`,
    "streams: byte stream BYOB": `
        const s = new ReadableStream({ type: "bytes", pull(c) { const v = c.byobRequest.view; v[0] = 7; c.byobRequest.respond(1); } });
        const r = s.getReader({ mode: "byob" }); const { value, done } = await r.read(new Uint8Array(4)); return [[...value], done, value.buffer.byteLength];`,
    "streams: BYOB from queue": `
        const s = new ReadableStream({ type: "bytes", start(c) { c.enqueue(new Uint8Array([1, 2, 3, 4, 5])); c.close(); } });
        const r = s.getReader({ mode: "byob" }); const out = [];
        for (;;) { const { value, done } = await r.read(new Uint8Array(2)); if (done) break; out.push([...value]); } return out;`,
    "streams: auto allocate": `
        const s = new ReadableStream({ type: "bytes", autoAllocateChunkSize: 3, pull(c) { if (!c.byobRequest) return c.close(); c.byobRequest.view.fill(9); c.byobRequest.respond(2); c.close(); } });
        const out = []; for await (const x of s) out.push([...x]); return out;`,
    "streams: iterator early return": `
        const log = []; const s = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel() { log.push("cancelled"); } });
        for await (const x of s) { log.push(x); break; } log.push(s.locked); return log;`,
    "streams: transform errors": `
        const t = new TransformStream({ transform() { throw new Error("t"); } });
        const w = t.writable.getWriter(); const r = t.readable.getReader(); const log = [];
        await Promise.all([w.write(1).catch((e) => log.push("w" + e.message)), r.read().catch((e) => log.push("r" + e.message))]); return log.sort();`,
    "streams: transform terminate": `
        const t = new TransformStream({ transform(x, c) { c.enqueue(x); c.terminate(); } });
        const w = t.writable.getWriter(); const p = w.write(1).catch(() => {}); const out = [];
        for await (const x of t.readable) out.push(x); await p; return out;`,
    "streams: queuing strategies": `
        return [new CountQueuingStrategy({ highWaterMark: 3 }).size("abc"), new ByteLengthQueuingStrategy({ highWaterMark: 5 }).size(new Uint8Array(4))];`,
    "streams: text": `
        const s = ReadableStream.from(["h\\u00e9", "\\ud83d", "\\ude00"]).pipeThrough(new TextEncoderStream()).pipeThrough(new TextDecoderStream());
        let out = ""; for await (const x of s) out += x; return out;`,
    "streams: gzip round trip": `
        const s = new Blob(["abc".repeat(1000)]).stream().pipeThrough(new CompressionStream("gzip")).pipeThrough(new DecompressionStream("gzip"));
        return (await new Response(s).text()).length;`,
    "streams: long queue does not recurse": `
        const s = new ReadableStream({ start(c) { for (let i = 0; i < 20000; i++) c.enqueue(i); c.close(); } });
        let n = 0; await s.pipeTo(new WritableStream({ write() { n++; } })); return n;`,

    "headers: order, joining, cookies": `
        const h = new Headers([["b", "1"], ["A", "2"], ["b", "3"], ["Set-Cookie", "x=1"], ["set-cookie", "y=2"]]);
        return [[...h], h.get("B"), h.getSetCookie(), h.has("a")];`,
    "headers: set and delete": `
        const h = new Headers({ a: "1", b: "2" }); h.append("a", "3"); h.set("a", "4"); h.delete("B"); return [...h];`,
    "headers: values are trimmed": `return new Headers({ a: "  x y\\t" }).get("a");`,
    "headers: forEach": `const out = []; new Headers({ z: "1", y: "2" }).forEach((v, k) => out.push(k + v)); return out;`,

    "url: parts": `const u = new URL("HTTPS://User:Pw@EXAMPLE.com:443/a/../b c?q=1 2#f g"); return [u.href, u.host, u.port, u.pathname, u.search, u.hash, u.origin, u.username, u.password];`,
    "url: relative": `return [new URL("../x?y", "http://a/b/c/d").href, new URL("//h/p", "https://a/").href, new URL("?q", "http://a/b#c").href];`,
    "url: setters": `
        const u = new URL("http://a.b/c?d#e"); u.pathname = "/x y"; u.search = "z=1"; u.hash = ""; u.port = "8080"; u.host = "q.r:80"; u.protocol = "https"; u.username = "me";
        return [u.href, u.searchParams.get("z")];`,
    "url: params are live": `const u = new URL("http://a/?x=1"); u.searchParams.append("y", "a b&c"); u.searchParams.delete("x"); const s = u.search; u.search = "?k=v"; return [s, [...u.searchParams]];`,
    "url: opaque path": `const u = new URL("data:text/plain,a b?x#y"); return [u.href, u.pathname, u.search, u.origin, u.host];`,
    "url: no host, two slashes": `const u = new URL("web+demo:/.//p/q"); return [u.href, u.pathname, u.host];`,
    "url: idna and ip": `return [new URL("http://b\\u00fccher.example/").host, new URL("http://0x7f.1/").host, new URL("http://[::1]:80/").host];`,
    "url: canParse, parse": `return [URL.canParse("x"), URL.canParse("x", "http://a"), URL.parse("nope"), URL.parse("http://a").href];`,
    "params: decoding": `return [...new URLSearchParams("a=1+2&b=%e2%82%ac&c=%zz&=x&d&&e=f=g")];`,
    "params: encoding": `return new URLSearchParams([["a b", "c&d=e"], ["\\u20ac~!'()*", "-._"]]).toString();`,
    "params: methods": `
        const p = new URLSearchParams({ b: "1", a: "2" }); p.append("b", "3"); p.sort(); p.set("a", "x");
        return [p.toString(), p.size, p.getAll("b"), p.has("b", "3"), p.has("b", "9"), [...p.keys()], [...p.values()]];`,

    "encoding: utf-8 pieces": `
        const d = new TextDecoder(); const b = new TextEncoder().encode("a\\u20ac\\ud83d\\ude00z"); let out = "";
        for (let i = 0; i < b.length; i++) out += d.decode(b.subarray(i, i + 1), { stream: true }); return out + d.decode();`,
    "encoding: malformed": `return [new TextDecoder().decode(new Uint8Array([0x61, 0xff, 0xe2, 0x82, 0x62, 0xf0, 0x9f])), new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 65])).length];`,
    "encoding: utf-16": `return [new TextDecoder("utf-16le").decode(new Uint8Array([0x3d, 0xd8, 0x00, 0xde, 65, 0])), new TextDecoder("utf-16be").decode(new Uint8Array([0, 65, 0xd8])).charCodeAt(1)];`,
    "encoding: encodeInto": `const b = new Uint8Array(4); return [new TextEncoder().encodeInto("a\\u20acb", b), [...b]];`,
    "encoding: labels": `return [new TextDecoder("latin1").encoding, new TextDecoder(" UTF8 ").encoding, new TextDecoder("sjis").encoding];`,
    "base64": `return [btoa("\\u00ff\\u0000a"), atob(" YQ == "), atob("YWI"), atob("YWJj").length];`,

    "blob: slices": `const b = new Blob(["hello", new Uint8Array([33]), new Blob([" x"])], { type: "T/X" }); return [b.size, b.type, await b.slice(1, 4).text(), await b.slice(-2).text(), await b.slice(3, 1).text()];`,
    "file": `const f = new File(["a"], "n.txt", { type: "a/b", lastModified: 5 }); return [f.name, f.lastModified, f.type, f.size, f instanceof Blob];`,
    "formdata: list": `const f = new FormData(); f.append("a", 1); f.append("a", "2"); f.set("b", "x"); f.append("f", new Blob(["z"]), "n"); const o = [...f].map(([k, v]) => [k, typeof v === "string" ? v : v.name]); f.delete("a"); return [o, f.has("a"), f.get("f").size];`,
    "formdata: urlencoded": `return [...await new Response("a=1&b=x+y", { headers: { "content-type": "application/x-www-form-urlencoded" } }).formData()];`,
    "formdata: multipart": `
        const body = '--X\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\nv1\\r\\n--X\\r\\nContent-Disposition: form-data; name="f"; filename="n.bin"\\r\\nContent-Type: x/y\\r\\n\\r\\n\\r\\nq\\r\\n\\r\\n--X--\\r\\n';
        const f = await new Response(body, { headers: { "content-type": "multipart/form-data; boundary=X" } }).formData();
        return [f.get("a"), f.get("f").name, f.get("f").type, await f.get("f").text()];`,
    "formdata: round trip": `
        const f = new FormData(); f.append("t", "a\\u20acb"); f.append("f", new File([new Uint8Array([0, 255, 13, 10, 45, 45])], "x.bin"));
        const g = await new Response(f).formData(); return [g.get("t"), g.get("f").name, [...await g.get("f").bytes()]];`,

    "body: kinds": `
        const r = (b) => new Response(b).text();
        return [await r("s"), await r(new Uint8Array([65])), await r(new Uint8Array([65, 66]).buffer), await r(new Blob(["b"])), await r(new URLSearchParams("a=1")), await r(12), await r(null)];`,
    "body: json, bytes, arrayBuffer": `return [await new Response('{"a":1}').json(), [...await new Response("ab").bytes()], (await new Response("abc").arrayBuffer()).byteLength, (await new Response("\\ufeffx").text())];`,
    "body: used twice": `const r = new Response("x"); await r.text(); try { await r.text(); } catch (e) { return [e.name, r.bodyUsed]; }`,
    "body: clone": `const r = new Response("abc", { status: 201, headers: { a: "b" } }); const c = r.clone(); return [await r.text(), await c.text(), c.status, c.headers.get("a")];`,
    "body: clone of a stream": `const r = new Response(ReadableStream.from([new Uint8Array([1]), new Uint8Array([2])])); const c = r.clone(); return [[...await r.bytes()], [...await c.bytes()]];`,
    "response: statics": `return [Response.json({ a: 1 }).headers.get("content-type"), Response.redirect("http://a/b").headers.get("location"), Response.redirect("http://a/b", 307).status, Response.error().type];`,
    "request: copies": `const a = new Request("http://x/y#z", { method: "post", body: "b", headers: { q: "1" } }); const b = new Request(a, { headers: { r: "2" } }); return [b.method, b.url, await b.text(), [...b.headers], a.bodyUsed];`,

    "events": `
        const t = new EventTarget(), log = []; const f = (e) => log.push(e.type + (e.target === t));
        t.addEventListener("a", f); t.addEventListener("a", f); t.addEventListener("a", { handleEvent() { log.push("o"); } }, { once: true });
        t.dispatchEvent(new Event("a")); t.dispatchEvent(new Event("a")); t.removeEventListener("a", f); t.dispatchEvent(new Event("a")); return log;`,
    "events: stop and prevent": `const t = new EventTarget(), log = []; t.addEventListener("x", (e) => { e.preventDefault(); e.stopImmediatePropagation(); log.push(1); }); t.addEventListener("x", () => log.push(2)); return [t.dispatchEvent(new Event("x", { cancelable: true })), log];`,
    "abort": `const c = new AbortController(), log = []; c.signal.onabort = () => log.push("on"); c.signal.addEventListener("abort", () => log.push("listener")); c.abort("r"); c.abort("s"); return [log, c.signal.reason, AbortSignal.any([c.signal]).aborted];`,
    "abort: timeout": `const s = AbortSignal.timeout(5); await new Promise((r) => s.addEventListener("abort", r)); return [s.aborted, s.reason.name, s.reason.code];`,

    "clone: values": `return structuredClone({ a: [1, , 3], b: new Date(5), c: /x/gi, d: new Map([[1, new Set([2])]]), e: new Uint8Array([1, 2]), f: null, g: undefined, h: "s", i: -0, k: 5n > 4n });`,
    "clone: cycles and sharing": `const a = { x: {} }; a.self = a; a.y = a.x; const b = structuredClone(a); return [b !== a, b.self === b, b.x === b.y];`,
    "clone: types survive": `const c = structuredClone([new Map(), new Set(), new Date(), /a/, new Error("e"), new ArrayBuffer(3), new Float64Array(2), new DataView(new ArrayBuffer(2)), Object(1n)]); return c.map((x) => Object.prototype.toString.call(x));`,
    "clone: transfer": `const b = new ArrayBuffer(8); const v = new Uint8Array(b, 2, 3); v[0] = 9; const c = structuredClone({ b, v }, { transfer: [b] }); return [b.byteLength, c.b.byteLength, c.v.byteOffset, [...c.v], c.v.buffer === c.b];`,
    "clone: refuses": `const names = []; for (const v of [() => {}, Symbol("x"), new WeakMap(), Promise.resolve()]) { try { structuredClone(v); names.push("ok"); } catch (e) { names.push(e.name + e.code); } } return names;`,

    "timers: order": `const out = []; setTimeout(() => out.push(3), 6); setTimeout(() => out.push(1), 0); setTimeout((a) => out.push(a), 2, 2); const i = setInterval(() => { out.push("i"); clearInterval(i); }, 3); await new Promise((r) => setTimeout(r, 20)); return out;`,
    "timers: microtasks between two": `const out = []; setTimeout(() => { out.push(1); Promise.resolve().then(() => out.push("m")); }, 1); setTimeout(() => out.push(2), 1); await new Promise((r) => setTimeout(r, 10)); return out;`,
    "dom exception": `const e = new DOMException("m", "NotFoundError"); return [e.name, e.message, e.code, e instanceof Error, String(e), Object.prototype.toString.call(e), DOMException.ABORT_ERR];`,
    "message channel": `const { port1, port2 } = new MessageChannel(); const got = new Promise((r) => { port2.onmessage = (e) => r(e.data); }); port1.postMessage({ a: [1] }); const v = await got; port1.close(); return v;`,

    "crypto: digests": `
        const hex = (b) => Array.from(new Uint8Array(b), (x) => x.toString(16).padStart(2, "0")).join("");
        const d = new TextEncoder().encode("abc"); return [hex(await crypto.subtle.digest("SHA-256", d)), hex(await crypto.subtle.digest({ name: "sha-1" }, d))];`,
    "crypto: hmac": `
        const k = await crypto.subtle.importKey("raw", new Uint8Array([1, 2, 3]), { name: "HMAC", hash: "SHA-512" }, true, ["sign", "verify"]);
        const s = await crypto.subtle.sign("HMAC", k, new Uint8Array(5)); const j = await crypto.subtle.exportKey("jwk", k);
        return [s.byteLength, await crypto.subtle.verify("HMAC", k, s, new Uint8Array(5)), await crypto.subtle.verify("HMAC", k, s, new Uint8Array(6)), j.k, j.alg, k.algorithm.length];`,
    "crypto: aes": `
        const raw = new Uint8Array(16).fill(7), data = new TextEncoder().encode("some plain text"), iv = new Uint8Array(16).fill(1); const out = [];
        for (const [name, p] of [["AES-GCM", { iv: iv.subarray(0, 12), additionalData: new Uint8Array([1]) }], ["AES-CBC", { iv }], ["AES-CTR", { counter: iv, length: 64 }]]) {
            const k = await crypto.subtle.importKey("raw", raw, name, false, ["encrypt", "decrypt"]);
            const c = await crypto.subtle.encrypt({ name, ...p }, k, data);
            out.push([...new Uint8Array(c)], new TextDecoder().decode(await crypto.subtle.decrypt({ name, ...p }, k, c)));
        }
        return out;`,
    "crypto: derivation": `
        const p = await crypto.subtle.importKey("raw", new TextEncoder().encode("pw"), "PBKDF2", false, ["deriveBits", "deriveKey"]);
        const h = await crypto.subtle.importKey("raw", new TextEncoder().encode("pw"), "HKDF", false, ["deriveBits"]);
        const a = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(8), iterations: 1000 }, p, 256);
        const b = await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: new Uint8Array(3) }, h, 512);
        return [[...new Uint8Array(a)], [...new Uint8Array(b)]];`,
};

/* URLs around the pattern of those that are taken without parsing (PLAIN_URL in url.js). */
function urlsAroundPlain() {
    const hosts = ["a", "a-b.c1", "1.2", "a.1b", "1.a", "-a.b", "a-.b-", "a.0x1", "0x.a", "xn--a.b", "ab--c.d", "a..b", ".a", "a.", "127.0.0.1"];
    const ports = ["", ":80", ":443", ":8080", ":0", ":08", ":65536"];
    const rests = ["/", "/a/../b", "/.", "/..", "/a.", "/..a", "/a/.b", "/%2e/a", "/%2E%2e/a", "/a%20b", "/a%", "/a//b", "/a'b(c)!", "/a|b", "/a@b:80/c",
        "", "?", "/?", "/?a=b", "/?a'b", "/?a%", "/?a|b", "/?a?b/c", "/?a[b]", "/#", "/#x"];
    return ["http", "https"].flatMap((s) => hosts.flatMap((h) => ports.flatMap((p) => rests.map((r) => `${s}://${h}${p}${r}`))));
}
CASES["url: plain ones"] = `return ${JSON.stringify(urlsAroundPlain())}.map((x) => { try { const u = new URL(x); return [u.href, u.protocol, u.host, u.hostname, u.port, u.pathname, u.search, u.hash, u.origin, new Request(x).url.split("#")[0]].join(" "); } catch { return "bad"; } });`;

for (const [name, code] of Object.entries(CASES)) {
    test(name, async () => {
        const expected = await new AsyncFunction(code)();
        assert.deepEqual(await run(code), JSON.parse(JSON.stringify(expected ?? null)));
    });
}
