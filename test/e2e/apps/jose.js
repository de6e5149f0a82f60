// Tokens of every kind, signed, encrypted, and checked again.
import * as jose from "jose";

const secret = new TextEncoder().encode("a secret of at least thirty-two bytes");

async function sign(alg) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  const token = await new jose.SignJWT({ alg }).setProtectedHeader({ alg }).setIssuedAt().setIssuer("selvedge").setExpirationTime("2h").sign(privateKey);
  const again = await jose.importJWK(await jose.exportJWK(publicKey), alg);
  const { payload } = await jose.jwtVerify(token, again, { issuer: "selvedge" });
  return payload.alg;
}

async function encrypt(alg, enc) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg);
  const token = await new jose.EncryptJWT({ enc }).setProtectedHeader({ alg, enc }).encrypt(publicKey);
  return (await jose.jwtDecrypt(token, privateKey)).payload.enc;
}

async function keySet() {
  const { publicKey, privateKey } = await jose.generateKeyPair("ES256");
  const jwks = jose.createLocalJWKSet({ keys: [{ ...(await jose.exportJWK(publicKey)), kid: "1", alg: "ES256" }] });
  const token = await new jose.SignJWT({ sub: "me" }).setProtectedHeader({ alg: "ES256", kid: "1" }).sign(privateKey);
  return (await jose.jwtVerify(token, jwks)).payload.sub;
}

async function expired() {
  const token = await new jose.SignJWT({}).setProtectedHeader({ alg: "HS256" }).setExpirationTime(1).sign(secret);
  return jose.jwtVerify(token, secret).then(() => "accepted", (error) => error.code);
}

export default {
  async fetch() {
    const pem = await jose.exportSPKI((await jose.generateKeyPair("RS256", { extractable: true })).publicKey);
    return Response.json({
      signed: await Promise.all(["ES256", "ES384", "ES512", "PS256", "RS256", "Ed25519"].map(sign)),
      encrypted: await Promise.all([["RSA-OAEP-256", "A256GCM"], ["ECDH-ES+A128KW", "A128CBC-HS256"]].map(([alg, enc]) => encrypt(alg, enc))),
      keySet: await keySet(),
      expired: await expired(),
      pem: pem.split("\n")[0],
      thumbprint: await jose.calculateJwkThumbprint({ kty: "oct", k: jose.base64url.encode(secret) }),
    });
  },
};
