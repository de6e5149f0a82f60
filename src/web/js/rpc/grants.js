/*
 * Values that travel without a session: the env and the props of dynamic Workers, props of loopback stubs. What a stub in them
 * leads to is said by what this Worker may reach ("services": role/gateway_grant.c), and is a binding where it arrives.
 */
import { DOMException } from "../errors.js";
import { deserialize, serialize } from "../serialize.js";
import { handlerOf } from "./target.js";

const grants = new WeakMap(); // handler of a stub → {binding, object, name}, {entrypoint, props}, or {refused}

/* Loaded by a loader: then its own entrypoints cannot be passed on. */
let isDynamic = false;
export function setDynamic() {
    isDynamic = true;
}

export const DYNAMIC = "Entrypoints to dynamically-loaded workers cannot be transferred to other Workers, because the system does not know how to reload this Worker from scratch. Instead, have the parent Worker expose an entrypoint which constructs the dynamic worker and forwards to it.";

export function setGrant(stub, grant) {
    grants.set(handlerOf(stub), grant.entrypoint !== undefined && isDynamic ? { refused: DYNAMIC } : grant);
    return stub;
}

function grantOf(value) {
    const handler = handlerOf(value);
    return handler === undefined ? undefined : grants.get(handler);
}

function refuse(text) {
    throw new DOMException(text, "DataCloneError");
}

/* Of a Fetcher that stands for a whole service, as `globalOutbound` and `tails` want it. */
export function grantOfFetcher(value, name) {
    const grant = grantOf(value);
    if (grant === undefined) throw new TypeError(`Incorrect type for the '${name}' field on 'WorkerCode': the provided value is not of type 'Fetcher'.`);
    if (grant.refused !== undefined) refuse(grant.refused);
    const { callable, ...rest } = grant;
    return rest;
}

/* → {bytes, services} */
export function pack(value) {
    const services = [];
    const external = (v, writer) => {
        const grant = grantOf(v);
        if (grant === undefined) return false;
        if (grant.refused !== undefined) refuse(grant.refused);
        if (grant.callable) refuse('Could not serialize object of type "LoopbackServiceStub". This type does not support serialization.');
        writer.varint(services.push(grant) - 1);
        return true;
    };
    const restart = () => services.splice(0);
    return { bytes: serialize(value, { classes: true, external, restart }), services };
}

export function unpack(bytes, stubs) {
    return deserialize(bytes, { external: (reader) => stubs[reader.varint()] });
}

/* As text for JSON: one character a byte, and none that JSON readers treat in their own way. */
const SHIFT = 256;

export function packText(value) {
    const { bytes, services } = pack(value);
    let packed = "";
    for (const byte of bytes) packed += String.fromCharCode(SHIFT + byte);
    return { packed, services };
}

export function bytesOfText(packed) {
    const bytes = new Uint8Array(packed.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = packed.charCodeAt(i) - SHIFT;
    return bytes;
}
