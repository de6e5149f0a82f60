/* Key pairs: keys and signatures made by Node's Web Crypto are accepted by ours, and the other way round. */
import assert from "node:assert/strict";
import test from "node:test";
import { run } from "./fake_native.mjs";

const { subtle } = globalThis.crypto;
const hex = (b) => Buffer.from(b).toString("hex");
const unhex = (name) => `Uint8Array.from("${name}".match(/../g) ?? [], (x) => parseInt(x, 16))`;
const prelude = `const hex = (b) => Array.from(new Uint8Array(b), (x) => x.toString(16).padStart(2, "0")).join(""); const s = crypto.subtle; const data = new TextEncoder().encode("some data");`;
const data = new TextEncoder().encode("some data");

const SIGNERS = [
    [{ name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }, {}],
    [{ name: "RSA-PSS", hash: "SHA-384", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }, { saltLength: 20 }],
    [{ name: "ECDSA", namedCurve: "P-256" }, { hash: "SHA-256" }],
    [{ name: "ECDSA", namedCurve: "P-384" }, { hash: "SHA-384" }],
    [{ name: "ECDSA", namedCurve: "P-521" }, { hash: "SHA-512" }],
    [{ name: "Ed25519" }, {}],
];

const text = (a) => JSON.stringify({ ...a, ...(a.publicExponent ? { publicExponent: undefined } : {}) });
const withExponent = (a) => (a.publicExponent ? `{ ...${text(a)}, publicExponent: new Uint8Array([1, 0, 1]) }` : text(a));

for (const [algorithm, extra] of SIGNERS) {
    const title = `${algorithm.name} ${algorithm.namedCurve ?? ""}`;
    test(`${title}: keys in all formats, signatures both ways`, async () => {
        const theirs = await subtle.generateKey(algorithm, true, ["sign", "verify"]);
        const signature = await subtle.sign({ name: algorithm.name, ...extra }, theirs.privateKey, data);
        const forms = {
            spki: hex(await subtle.exportKey("spki", theirs.publicKey)), pkcs8: hex(await subtle.exportKey("pkcs8", theirs.privateKey)),
            jwkPublic: await subtle.exportKey("jwk", theirs.publicKey), jwkPrivate: await subtle.exportKey("jwk", theirs.privateKey),
        };
        const ours = await run(`${prelude}
            const a = ${withExponent(algorithm)}, p = ${JSON.stringify({ name: algorithm.name, ...extra })}, f = ${JSON.stringify(forms)};
            const spki = await s.importKey("spki", ${unhex(forms.spki)}, a, true, ["verify"]);
            const jwk = await s.importKey("jwk", f.jwkPublic, a, true, ["verify"]);
            const pkcs8 = await s.importKey("pkcs8", ${unhex(forms.pkcs8)}, a, true, ["sign"]);
            const secret = await s.importKey("jwk", f.jwkPrivate, a, true, ["sign"]);
            const g = await s.generateKey(a, true, ["sign", "verify"]);
            const sig = ${unhex(hex(signature))};
            const changed = sig.slice(); changed[9] ^= 1;
            return {
                verified: [await s.verify(p, spki, sig, data), await s.verify(p, jwk, sig, data), await s.verify(p, jwk, changed, data), await s.verify(p, jwk, sig.subarray(1), data)],
                again: [hex(await s.exportKey("spki", jwk)), hex(await s.exportKey("pkcs8", pkcs8))], jwk: await s.exportKey("jwk", secret),
                fromPkcs8: await s.exportKey("jwk", pkcs8), signature: hex(await s.sign(p, secret, data)), generated: hex(await s.exportKey("spki", g.publicKey)), gsig: hex(await s.sign(p, g.privateKey, data)),
                kinds: [g.publicKey.type, g.privateKey.type, g.privateKey.algorithm.name, g.publicKey.usages, g.privateKey.usages],
            };`);
        assert.deepEqual(ours.verified, [true, true, false, false]);
        assert.equal(ours.again[0], forms.spki);
        assert.equal(ours.again[1], forms.pkcs8);
        for (const field of ["kty", "crv", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y"]) {
            assert.equal(ours.jwk[field], forms.jwkPrivate[field], field);
            assert.equal(ours.fromPkcs8[field], forms.jwkPrivate[field], field);
        }
        assert.ok(await subtle.verify({ name: algorithm.name, ...extra }, theirs.publicKey, Buffer.from(ours.signature, "hex"), data));
        const generated = await subtle.importKey("spki", Buffer.from(ours.generated, "hex"), algorithm, true, ["verify"]);
        assert.ok(await subtle.verify({ name: algorithm.name, ...extra }, generated, Buffer.from(ours.gsig, "hex"), data));
        assert.deepEqual(ours.kinds, ["public", "private", algorithm.name, ["verify"], ["sign"]]);
    });
}

for (const algorithm of [{ name: "ECDH", namedCurve: "P-256" }, { name: "ECDH", namedCurve: "P-521" }, { name: "X25519" }]) {
    test(`${algorithm.name} ${algorithm.namedCurve ?? ""}: shared secrets`, async () => {
        const theirs = await subtle.generateKey(algorithm, true, ["deriveBits"]);
        const raw = hex(await subtle.exportKey("raw", theirs.publicKey));
        const ours = await run(`${prelude}
            const a = ${JSON.stringify(algorithm)}; const g = await s.generateKey(a, true, ["deriveBits", "deriveKey"]);
            const peer = await s.importKey("raw", ${unhex(raw)}, a, true, []);
            const key = await s.deriveKey({ name: a.name, public: peer }, g.privateKey, { name: "AES-GCM", length: 128 }, true, ["encrypt"]);
            return [hex(await s.exportKey("raw", g.publicKey)), hex(await s.deriveBits({ name: a.name, public: peer }, g.privateKey, null)), hex(await s.exportKey("raw", key))];`);
        const peer = await subtle.importKey("raw", Buffer.from(ours[0], "hex"), algorithm, true, []);
        const expected = hex(await subtle.deriveBits({ name: algorithm.name, public: peer }, theirs.privateKey, null));
        assert.equal(ours[1], expected);
        assert.equal(ours[2], expected.slice(0, 32));
    });
}

test("RSA-OAEP both ways, with a label; wrapping", async () => {
    const algorithm = { name: "RSA-OAEP", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
    const theirs = await subtle.generateKey(algorithm, true, ["encrypt", "decrypt"]);
    const label = new Uint8Array([1, 2]);
    const sealed = hex(await subtle.encrypt({ name: "RSA-OAEP", label }, theirs.publicKey, data));
    const ours = await run(`${prelude}
        const k = await s.importKey("pkcs8", ${unhex(hex(await subtle.exportKey("pkcs8", theirs.privateKey)))}, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["decrypt", "unwrapKey"]);
        const p = await s.importKey("spki", ${unhex(hex(await subtle.exportKey("spki", theirs.publicKey)))}, { name: "RSA-OAEP", hash: "SHA-256" }, true, ["encrypt", "wrapKey"]);
        const aes = await s.generateKey({ name: "AES-CBC", length: 256 }, true, ["encrypt"]);
        const w = await s.wrapKey("raw", aes, p, { name: "RSA-OAEP" });
        const u = await s.unwrapKey("raw", w, k, { name: "RSA-OAEP" }, "AES-CBC", true, ["encrypt"]);
        let refused; try { await s.exportKey("pkcs8", k); } catch (e) { refused = e.name; }
        return [hex(await s.decrypt({ name: "RSA-OAEP", label: new Uint8Array([1, 2]) }, k, ${unhex(sealed)})), hex(await s.encrypt({ name: "RSA-OAEP" }, p, data)), hex(await s.exportKey("raw", u)) === hex(await s.exportKey("raw", aes)), refused];`);
    assert.equal(ours[0], hex(data));
    assert.equal(hex(await subtle.decrypt({ name: "RSA-OAEP" }, theirs.privateKey, Buffer.from(ours[1], "hex"))), hex(data));
    assert.deepEqual(ours.slice(2), [true, "InvalidAccessError"]);
});

test("what is no key is refused", async () => {
    const names = await run(`${prelude} const out = [];
        for (const [format, bytes, a, usages] of [["spki", new Uint8Array(5), { name: "ECDSA", namedCurve: "P-256" }, ["verify"]], ["pkcs8", new Uint8Array([48, 3, 2, 1, 0]), { name: "RSA-PSS", hash: "SHA-256" }, ["sign"]],
            ["raw", new Uint8Array(65), { name: "ECDSA", namedCurve: "P-256" }, ["verify"]], ["raw", new Uint8Array(31), "Ed25519", ["verify"]], ["jwk", { kty: "EC", crv: "P-256", x: "AA", y: "AA" }, { name: "ECDSA", namedCurve: "P-256" }, ["verify"]],
            ["jwk", { kty: "oct" }, "Ed25519", ["verify"]], ["spki", new Uint8Array(1), { name: "ECDSA", namedCurve: "P-999" }, ["verify"]], ["raw", new Uint8Array(32), "Ed25519", ["sign"]]])
            try { await s.importKey(format, bytes, a, true, usages); out.push("ok"); } catch (e) { out.push(e.name); }
        return out;`);
    assert.deepEqual(names, ["DataError", "DataError", "DataError", "DataError", "DataError", "DataError", "DataError", "SyntaxError"]);
});
