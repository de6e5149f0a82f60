/* Bodies that leave: a stream of script pumped into an outgoing channel with its backpressure. */
import * as context from "./context.js";
import { viewOf } from "./encoding.js";
import { errnoError } from "./errors.js";
import { ReaderState, readerNext, readerRelease, streamCancel } from "./streams/readable.js";

const io = native.io;
const EIO = -5;

function writable(channel) {
    return new Promise((resolve, reject) => {
        io.whenWritable(channel, context.track((errno) => {
            if (errno) reject(errnoError(errno));
            else resolve();
        }));
    });
}

/* Writes all of it and ends the channel. Rejects with what broke: the stream's own error, or the wire's.
 * Once wanted() says no, the rest is cancelled instead. */
export async function sendStream(state, channel, reader = new ReaderState(state, false), wanted = undefined) {
    try {
        for (;;) {
            const { value, done } = await readerNext(reader);
            if (done) break;
            const bytes = typeof value === "string" ? value : viewOf(value);
            if (bytes === null || typeof value === "string") throw new TypeError("This ReadableStream did not return bytes.");
            if (io.write(channel, bytes) <= 0) await writable(channel);
            if (wanted !== undefined && !wanted()) {
                streamCancel(reader.stream, new Error("The receiver has answered already.")).catch(() => {});
                return;
            }
        }
        io.end(channel);
    } catch (error) {
        io.fail(channel, EIO);
        if (reader.stream !== null) streamCancel(reader.stream, error).catch(() => {});
        throw error;
    } finally {
        readerRelease(reader);
    }
}
