import { bytes, caught, hex, kind } from "../../worker/report.js";

const S = crypto.subtle;
const digest = (name, data) => () => caught(async () => hex(await S.digest(name, bytes(data))));
const table = {};
for (const name of ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "MD5", "sha-256", "SHA256", "x"])
    for (const data of ["", "abc"]) table[`digest ${name} of ${JSON.stringify(data)}`] = digest(name, data);

const hmac = (hash, key, data) => () => caught(async () => {
    const k = await S.importKey("raw", bytes(key), { name: "HMAC", hash }, false, ["sign", "verify"]);
    const sig = await S.sign("HMAC", k, bytes(data));
    return [hex(sig), await S.verify("HMAC", k, sig, bytes(data)), await S.verify("HMAC", k, sig, bytes(data + "x"))];
});
for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) table[`HMAC ${hash}`] = hmac(hash, "key", "data");

const importHmac = (usages = ["sign"], extractable = true, format = "raw", data = bytes("key")) =>
    S.importKey(format, data, { name: "HMAC", hash: "SHA-256" }, extractable, usages);
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export default {
    ...table,
    "digest object": async () => hex(await S.digest({ name: "SHA-256" }, bytes("abc"))),
    "digest ArrayBuffer": async () => hex(await S.digest("SHA-256", bytes("abc").buffer)),
    "digest part of view": async () => hex(await S.digest("SHA-256", bytes("xabcx").subarray(1, 4))),
    "digest DataView": async () => hex(await S.digest("SHA-1", new DataView(bytes("abc").buffer))),
    "digest string": () => kind(() => S.digest("SHA-256", "abc")),
    "digest result": async () => (await S.digest("SHA-256", bytes("abc"))) instanceof ArrayBuffer,
    "digest copies input": async () => { const b = bytes("abc"); const p = S.digest("SHA-256", b); b[0] = 0; return hex(await p); },
    "digest large": async () => hex(await S.digest("SHA-256", new Uint8Array(1000000))),
    "HMAC long key": hmac("SHA-256", "k".repeat(200), "d"),
    "HMAC empty data": hmac("SHA-256", "k", ""),
    "HMAC empty key": () => kind(async () => hex(await S.sign("HMAC", await importHmac(["sign"], true, "raw", new Uint8Array(0)), bytes("d")))),
    "HMAC key": async () => { const k = await importHmac(); return [k.type, k.extractable, k.algorithm, k.usages, Object.prototype.toString.call(k)]; },
    "HMAC export raw": async () => hex(await S.exportKey("raw", await importHmac())),
    "HMAC export jwk": async () => Object.entries(await S.exportKey("jwk", await importHmac(["sign", "verify"]))).filter(([, v]) => v !== undefined).sort(),
    "HMAC import jwk": async () => { const k = await importHmac(["sign"], true, "jwk", { kty: "oct", k: "a2V5", alg: "HS256" }); return hex(await S.sign("HMAC", k, bytes("data"))); },
    "HMAC export refused": async () => caught(async () => S.exportKey("raw", await importHmac(["sign"], false))),
    "HMAC wrong usage": () => caught(() => importHmac(["encrypt"])),
    "HMAC no usage": () => kind(() => importHmac([])),
    "HMAC usage missing": () => caught(async () => S.verify("HMAC", await importHmac(["sign"]), new Uint8Array(32), bytes("x"))),
    "HMAC generate": async () => { const k = await S.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign", "verify"]); return [(await S.exportKey("raw", k)).byteLength, k.algorithm]; },
    "HMAC generate SHA-512": async () => { const k = await S.generateKey({ name: "HMAC", hash: "SHA-512" }, true, ["sign"]); return (await S.exportKey("raw", k)).byteLength; },
    "HMAC generate length": async () => { const k = await S.generateKey({ name: "HMAC", hash: "SHA-1", length: 128 }, true, ["sign"]); return (await S.exportKey("raw", k)).byteLength; },
    "HMAC missing hash": () => kind(() => S.importKey("raw", bytes("k"), { name: "HMAC" }, true, ["sign"])),
    "HMAC short signature": async () => S.verify("HMAC", await importHmac(["verify"]), new Uint8Array(3), bytes("x")),
    "HMAC object algorithm": async () => hex(await S.sign({ name: "hmac" }, await importHmac(), bytes("data"))),
    "wrong key for algorithm": () => caught(async () => S.sign("ECDSA", await importHmac(), bytes("x"))),
    "unknown import": () => caught(() => S.importKey("raw", bytes("k"), "x", true, [])),
    "unknown generate": () => caught(() => S.generateKey("x", true, [])),
    "not a key": () => kind(() => S.sign("HMAC", {}, bytes("x"))),
    "getRandomValues": () => { const u = new Uint8Array(64); const r = crypto.getRandomValues(u); return [r === u, u.some((b) => b !== 0)]; },
    "getRandomValues types": () => [Int8Array, Uint8ClampedArray, Uint16Array, Int32Array, BigUint64Array].map((T) => crypto.getRandomValues(new T(4)).constructor.name),
    "getRandomValues float": () => caught(() => crypto.getRandomValues(new Float32Array(4))),
    "getRandomValues DataView": () => kind(() => crypto.getRandomValues(new DataView(new ArrayBuffer(4)))),
    "getRandomValues too large": () => caught(() => crypto.getRandomValues(new Uint8Array(65537))),
    "getRandomValues limit": () => crypto.getRandomValues(new Uint8Array(65536)).length,
    "getRandomValues empty": () => crypto.getRandomValues(new Uint8Array(0)).length,
    "getRandomValues part": () => { const u = new Uint8Array(40); crypto.getRandomValues(u.subarray(0, 20)); return u.subarray(20).every((b) => b === 0); },
    "randomUUID": () => [uuid.test(crypto.randomUUID()), crypto.randomUUID() !== crypto.randomUUID()],
    "timingSafeEqual": () => [S.timingSafeEqual(bytes("a"), bytes("a")), S.timingSafeEqual(bytes("a"), bytes("b"))],
    "timingSafeEqual lengths": () => caught(() => S.timingSafeEqual(bytes("a"), bytes("ab"))),
    "DigestStream": async () => { const d = new crypto.DigestStream("SHA-256"); const w = d.getWriter(); await w.write(bytes("a")); await w.write(bytes("bc")); await w.close(); return hex(await d.digest); },
    "DigestStream pipe": async () => { const d = new crypto.DigestStream("MD5"); await new Response("abc").body.pipeTo(d); return [hex(await d.digest), Number(d.bytesWritten)]; },
    "tags": () => [Object.prototype.toString.call(crypto), Object.prototype.toString.call(crypto.subtle)],
    "subtle same": () => crypto.subtle === crypto.subtle,
    "subtle members": () => Object.getOwnPropertyNames(SubtleCrypto.prototype).sort(),
    "crypto members": () => Object.getOwnPropertyNames(Crypto.prototype).sort(),
};
