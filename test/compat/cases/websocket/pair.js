import { caught, kind } from "../../worker/report.js";

const pair = () => Object.values(new WebSocketPair());
const accepted = () => { const [a, b] = pair(); a.accept(); b.accept(); return [a, b]; };
// In steps: a process that was not scheduled for long still gets a turn for each message.
const wait = async (ms) => { for (let i = 0; i < ms; i++) await new Promise((resolve) => setTimeout(resolve, 1)); };
const show = (data) => (typeof data === "string" ? data : data instanceof ArrayBuffer ? ["buffer", ...new Uint8Array(data)] : ["blob", data.size]);
// Closings and messages, as they come; not errors: workerd reports a lost connection after a clean close as well.
function log(...sockets) {
    const events = [];
    sockets.forEach((socket, i) => {
        socket.addEventListener("message", (e) => events.push([i, "message", show(e.data)]));
        socket.addEventListener("close", (e) => events.push([i, "close", e.code, e.reason, e.wasClean, socket.readyState]));
    });
    return events;
}
const closing = async (...args) => { const [a, b] = accepted(); const events = log(a, b); a.close(...args); const states = [a.readyState, b.readyState]; await wait(20); return [states, events, a.readyState, b.readyState]; };

export default {
    "keys": () => [Object.keys(new WebSocketPair()), String(new WebSocketPair()), String(pair()[0])],
    "classes": () => { const [a] = pair(); return [a instanceof WebSocket, a instanceof EventTarget, a.constructor.name, new WebSocketPair().constructor.name]; },
    "constants": () => [WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED, WebSocket.READY_STATE_CONNECTING, WebSocket.READY_STATE_OPEN, WebSocket.READY_STATE_CLOSING, WebSocket.READY_STATE_CLOSED, pair()[0].OPEN],
    "members": () => Object.getOwnPropertyNames(WebSocket.prototype).sort(),
    "fresh": () => { const [a] = pair(); return [a.readyState, a.url, a.protocol, a.extensions, a.binaryType, a.bufferedAmount]; },
    "accept twice": () => { const [a] = pair(); return [a.accept(), a.accept()]; },
    "send before accept": () => caught(() => pair()[0].send("x")),
    "close before accept": () => caught(() => pair()[0].close()),
    "send nothing": () => caught(() => accepted()[0].send()),
    "send after close": () => caught(() => { const [a] = accepted(); a.close(); a.send("x"); }),
    "close twice": () => { const [a] = accepted(); return [a.close(), a.close(), a.readyState]; },
    "close codes": () => [999, 1000, 1001, 1002, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000, 4999, 5000, "a", null, 66536, 1000.7].map((code) => { try { accepted()[0].close(code); return [code, "fine"]; } catch (e) { return [code, e.name, e.message]; } }),
    "reason without code": () => caught(() => accepted()[0].close(undefined, "x")),
    "reason of 123 bytes": () => accepted()[0].close(1000, "x".repeat(123)),
    "reason of 124 bytes": () => caught(() => accepted()[0].close(1000, "x".repeat(124))),
    "reason of 124 bytes, 62 characters": () => caught(() => accepted()[0].close(1000, "ä".repeat(62))),
    "close": () => closing(),
    "close with a code": () => closing(1000),
    "close with code and reason": () => closing(4000, "why"),
    "half open": async () => { const [a, b] = pair(); const events = log(a, b); a.accept(); b.accept({ allowHalfOpen: true }); a.close(1000, "x"); await wait(10); const states = [a.readyState, b.readyState]; b.send("late"); b.close(3000, "y"); await wait(20); return [states, events, a.readyState, b.readyState]; },
    "messages both ways": async () => { const [a, b] = accepted(); const events = log(a, b); a.send("one"); b.send("two"); a.send("three"); events.push("sent"); await wait(20); return [events.slice(0, 1), events.filter((e) => e[0] === 1), events.filter((e) => e[0] === 0)]; },
    "after microtasks": async () => { const [a, b] = accepted(); const order = []; b.addEventListener("message", () => order.push("message")); a.send("x"); Promise.resolve().then(() => order.push("microtask")); await wait(10); return order; },
    "early messages": async () => { const [a, b] = pair(); const events = log(a, b); a.accept(); a.send("1"); a.send("2"); await wait(10); events.push("accept"); b.accept(); events.push("accepted"); await wait(10); return events; },
    "what is sent": async () => { const [a, b] = accepted(); b.binaryType = "arraybuffer"; const events = log(a, b); for (const data of ["", "text", 5, null, { toString: () => "object" }, new Uint8Array([1, 2, 3]).subarray(1), new DataView(new ArrayBuffer(2)), new Uint16Array([258]), new ArrayBuffer(1), new Blob(["x"])]) a.send(data); await wait(20); return events; },
    "bytes are copied when sent": async () => { const [a, b] = accepted(); b.binaryType = "arraybuffer"; const events = log(a, b); const bytes = new Uint8Array([1]); a.send(bytes); bytes[0] = 2; await wait(10); return events; },
    "binaryType": async () => { const [a, b] = accepted(); const events = log(a, b); a.send(new Uint8Array(2)); await wait(10); b.binaryType = "arraybuffer"; a.send(new Uint8Array(2)); await wait(10); b.binaryType = "nonsense"; return [events, b.binaryType]; },
    "event objects": async () => { const [a, b] = accepted(); const seen = []; const note = (e) => seen.push([e.constructor.name, e.type, e.isTrusted, e.target === b]); b.addEventListener("message", (e) => { note(e); seen.push([e.origin, e.lastEventId, e.source, e.ports]); }); b.addEventListener("close", note); a.send("x"); a.close(1000); await wait(20); return seen; },
    "handlers are plain properties": async () => { const [a, b] = accepted(); const order = []; b.addEventListener("message", () => order.push("listener")); b.onmessage = () => order.push("onmessage"); a.send("x"); await wait(10); return [order, typeof a.onmessage, "onmessage" in a]; },
    "a listener that throws": async () => { const [a, b] = accepted(); const seen = []; b.addEventListener("message", (e) => { seen.push(e.data); throw new Error("boom"); }); b.addEventListener("error", (e) => seen.push([e.constructor.name, e.message, String(e.error)])); a.send("1"); a.send("2"); await wait(20); return [seen, b.readyState]; },
    "attachments": () => { const [a] = pair(); const before = a.deserializeAttachment(); const value = { list: [1, new Date(5)], map: new Map([["k", new Uint8Array(2)]]) }; a.serializeAttachment(value); value.list.push(2); const first = a.deserializeAttachment(); return [before, first.list.length, first.list[1].getTime(), first.map.get("k").byteLength, a.deserializeAttachment() === first]; },
    "attachment without a clone": () => caught(() => pair()[0].serializeAttachment(() => 1)),
    "attachment too large": () => kind(() => pair()[0].serializeAttachment("x".repeat(20000))),
    "request and response pair": () => { const p = new WebSocketRequestResponsePair("ask", 5); return [p.request, p.response, kind(() => new WebSocketRequestResponsePair())]; },
};
