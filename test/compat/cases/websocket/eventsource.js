import { caught } from "../../worker/report.js";

const bytes = (...pieces) => new ReadableStream({ start(c) { for (const piece of pieces) c.enqueue(new TextEncoder().encode(piece)); c.close(); } });
async function events(stream, listener) {
    const source = EventSource.from(stream), seen = [];
    for (const type of ["open", "message", "custom"]) source.addEventListener(type, (e) => seen.push([type, e.data, e.lastEventId, e.origin]));
    const ended = new Promise((resolve) => source.addEventListener("error", (e) => { seen.push([e.constructor.name, e.message, String(e.error), source.readyState]); resolve(); }));
    listener?.(source, seen);
    await ended;
    return [seen, source.url, source.withCredentials];
}

export default {
    "constants": () => [EventSource.CONNECTING, EventSource.OPEN, EventSource.CLOSED, Object.getOwnPropertyNames(EventSource.prototype).sort()],
    "no address": () => caught(() => new EventSource()),
    "bad address": () => caught(() => new EventSource("nope")),
    "credentials": () => caught(() => new EventSource("http://x/", { withCredentials: true })),
    "fresh": () => { const e = new EventSource("http://127.0.0.1:1/path#part"); const r = [e.readyState, e.url, e.withCredentials, e.onopen, e.onmessage, e.onerror]; e.close(); return [...r, e.readyState]; },
    "events of a stream": () => events(bytes("data: a\n\nid: 7\ndata: b\ndata: c\n\n:comment\nevent: custom\ndata: d\n\nretry: 5\nda", "ta: x\r\n\r\ndata:y\rid\r\r", "data: cut")),
    "mark, nulls and unknown fields": () => events(bytes("\ufeffdata: a\nid: x\0y\nwhat: is\nid\n\ndata:  two blanks\n\n")),
    "ends of lines cut in two": () => events(bytes("data: a\r", "\ndata: b\r", "\n\r", "\ndata: c\n", "\n")),
    "a stream that fails": () => events(new ReadableStream({ start(c) { c.error(new TypeError("broken")); } })),
    "a handler that throws": () => events(bytes("data: a\n\ndata: b\n\n"), (source, seen) => { source.onmessage = (e) => { seen.push(["handler", e.data]); throw new RangeError("mine"); }; }),
    "no stream": () => caught(() => EventSource.from({})),
};
