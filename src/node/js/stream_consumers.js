/* node:stream/consumers */
const { Buffer } = require("./buffer.js");

async function bytes(stream) {
    const parts = [];
    for await (const chunk of stream) {
        if (typeof chunk === "string") parts.push(Buffer.from(chunk));
        else if (chunk instanceof ArrayBuffer) parts.push(Buffer.from(chunk));
        else if (ArrayBuffer.isView(chunk)) parts.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
        else parts.push(Buffer.from(String(chunk)));
    }
    return Buffer.concat(parts);
}

async function text(stream) {
    const decoder = new TextDecoder();
    let out = "";
    for await (const chunk of stream) out += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    return out + decoder.decode();
}

module.exports = {
    async arrayBuffer(stream) {
        const all = await bytes(stream);
        return all.buffer.slice(all.byteOffset, all.byteOffset + all.byteLength);
    },
    async blob(stream) { return new Blob([await bytes(stream)]); },
    async buffer(stream) { return bytes(stream); },
    async bytes(stream) { return new Uint8Array(await bytes(stream)); },
    text,
    async json(stream) { return JSON.parse(await text(stream)); },
};
