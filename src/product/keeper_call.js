/* Operations on the keeper as promises. */
import * as context from "../web/js/context.js";
import { Channel, pipeChannel, untouched } from "../web/js/body_source.js";
import { sendStream } from "../web/js/send.js";
import { makeReader, readerRelease } from "../web/js/streams/readable.js";

/* start(callback) makes the native call and returns its channel. Resolves to {result, text, json}, whatever the
 * result is; json is a string, also where it came as the answer's body. With givenUp, when the event ends before that, the
 * keeper is told that nobody waits any more. */
export async function keeperCall(start, givenUp = false) {
    const answer = await new Promise((resolve) => {
        const invocation = givenUp ? context.need() : null;
        const channel = start(context.track((result, text, json, hasBody) => {
            invocation?.disown(channel);
            resolve({ result, text, json, body: hasBody ? new Channel(channel, -1, null) : null });
        }));
        invocation?.own(channel);
    });
    if (answer.body !== null) answer.json = await answer.body.text();
    return answer;
}

function pipeNative(state, to) {
    state.disturbed = true;
    return new Promise((resolve, reject) => {
        pipeChannel(state.channel, to, (errno) => {
            if (errno) reject(new Error("Network connection lost."));
            else resolve();
        });
    });
}

/* What the isolate says in place of a keeper that did not answer. */
const UNAVAILABLE = "The data service is unavailable.";

/* The same with a body that is a stream (its state). A stream that fails rejects with its own error. */
export async function keeperSend(start, state) {
    const reader = makeReader(state, false); // throws when it is locked
    readerRelease(reader);
    let channel, answered = false;
    const answer = keeperCall((callback) => channel = start((...args) => {
        answered = true;
        callback(...args);
    }));
    const plain = untouched(state) && state.channel.encoding === null;
    const sent = plain ? pipeNative(state, channel) : sendStream(state, channel, undefined, () => !answered);
    const [done, body] = await Promise.allSettled([answer, sent]);
    if (done.status === "rejected") throw done.reason;
    if (body.status === "rejected" && done.value.result < 0 && done.value.text === UNAVAILABLE) throw body.reason;
    return done.value;
}
