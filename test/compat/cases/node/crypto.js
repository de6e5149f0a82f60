import crypto from "node:crypto";
import { caught } from "../../worker/report.js";

const said = (fn) => { try { return fn(); } catch (e) { return [e.name, e.message]; } };
const cb = (fn) => new Promise((resolve) => fn((error, value) => resolve(error ? [error.name, error.message] : value.toString("hex"))));
const { publicKey, privateKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = privateKey.export({ format: "jwk" });
const without = (...names) => Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)));

export default {
    "primes have a limit": () => caught(() => crypto.generatePrimeSync(8193).byteLength).then((x) => typeof x === "string" && x.startsWith("RangeError")),
    "moduli have a limit": () => caught(() => typeof crypto.generateKeyPairSync("rsa", { modulusLength: 16385 })).then((x) => typeof x === "string" && x.startsWith("RangeError")),
    "pbkdf2 has a limit": () => said(() => crypto.pbkdf2Sync("p", "s", 10, 255 * 20 + 1, "sha1").length),
    "pbkdf2 below it": () => crypto.pbkdf2Sync("p", "s", 10, 255 * 20, "sha1").length,
    "scrypt has a limit": () => caught(() => crypto.scryptSync("p", "s", 64, { N: 1024, r: 1, p: 32768 }).length).then((x) => typeof x === "string" && x.startsWith("RangeError")),
    "pbkdf2, callback": () => cb((f) => crypto.pbkdf2("p", "s", 10, 20, "sha256", f)),
    "scrypt, callback": () => cb((f) => crypto.scrypt("p", "s", 20, { N: 1024 }, f)),
    "hash after its stream": async () => {
        const h = crypto.createHash("sha256");
        const streamed = new Promise((resolve) => h.on("data", (c) => resolve(c.toString("hex"))));
        h.end("abc");
        return (await streamed) === h.digest("hex");
    },
    "digest twice": () => { const h = crypto.createHash("sha256"); h.digest(); return said(() => h.digest().length); },
    "JWK, parts missing": () => [["crv"], ["x"], ["y"]].map((names) => said(() => typeof crypto.createPrivateKey({ key: without(...names), format: "jwk" }))),
    "JWK in and out": () => crypto.createPrivateKey({ key: jwk, format: "jwk" }).equals(privateKey),
    "a public key signs nothing": () => crypto.verify("sha256", Buffer.from("x"), publicKey, crypto.sign("sha256", Buffer.from("x"), privateKey)),
    "lengths of secrets": () => [0, 7, 65537].map((length) => said(() => typeof crypto.generateKeySync("hmac", { length }))),
    "unknown digests": () => [said(() => crypto.createHmac("nope", "k")[0])?.[0], said(() => crypto.createHash("nope"))?.[0]],
};
