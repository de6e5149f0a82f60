/* Content codings: gzip and deflate by the natives of group `zlib`, brotli by those of group `node`. */
import { flags } from "./compat.js";

const { zlib } = native;
const PROCESS = 0, FLUSH = 1, FINISH = 2; // of brotli
/* [parameter, value]: quality, since what is encoded here is sent at once. */
const QUALITY = new Uint8Array(new Uint32Array([1, 5]).buffer);
const CODINGS = { gzip: "gzip", "x-gzip": "gzip", deflate: "deflate", br: "br" };

/* What a content-encoding header asks to take off, or null. */
export function codingOf(value) {
    if (value === undefined) return null;
    const name = value.trim().toLowerCase();
    if (!Object.hasOwn(CODINGS, name) || (name === "br" && !flags.brotli_content_encoding)) return null;
    return CODINGS[name];
}

/* What a request to the world says that it can read. */
export function acceptedCodings() {
    return flags.brotli_content_encoding ? "br, gzip" : "gzip";
}

/* One way of one body. push(bytes, last) gives an ArrayBuffer, undefined once it is broken. */
export function coder(coding, decode) {
    if (coding !== "br") {
        const handle = zlib.open(coding, decode);
        return { push: (bytes, last) => zlib.push(handle, bytes, last) };
    }
    const { brotliOpen, brotliWrite } = native.node;
    const handle = brotliOpen(!decode, decode ? undefined : QUALITY);
    return {
        push(bytes, last) {
            const out = brotliWrite(handle, bytes, last ? FINISH : decode ? PROCESS : FLUSH);
            return out instanceof ArrayBuffer ? out : undefined;
        },
    };
}

/* All of it. */
export function encoded(coding, bytes) {
    return coder(coding, false).push(bytes, true);
}
