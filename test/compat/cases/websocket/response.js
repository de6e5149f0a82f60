import { caught } from "../../worker/report.js";

const socket = () => new WebSocketPair()[0];
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const constructed = (...args) => { try { const w = new WebSocket(...args); w.addEventListener("error", () => {}); return [w.readyState, w.url, w.protocol, w.extensions]; } catch (e) { return [e.constructor.name, e.name, e.message]; } };

export default {
    "101 with a socket": () => { const webSocket = socket(); const r = new Response(null, { status: 101, webSocket }); return [r.webSocket === webSocket, r.status, r.statusText, r.ok, r.body]; },
    "webSocket of others": () => [new Response("x").webSocket, Response.json({}).webSocket],
    "101 without": () => caught(() => new Response(null, { status: 101 })),
    "200 with a socket": () => caught(() => new Response(null, { webSocket: socket() })),
    "101 with a body": () => caught(() => new Response("x", { status: 101, webSocket: socket() })),
    "something else": () => caught(() => new Response(null, { status: 101, webSocket: {} })),
    "null": () => new Response("x", { webSocket: null }).webSocket,
    "accepted sockets may be put in": () => { const webSocket = socket(); webSocket.accept(); return new Response(null, { status: 101, webSocket }).status; },
    "clone": () => caught(() => new Response(null, { status: 101, webSocket: socket() }).clone()),
    "from a response": () => { const webSocket = socket(); return new Response(null, new Response(null, { status: 101, webSocket })).webSocket === webSocket; },
    "constructor: addresses": () => ["nope", "ftp://x/", "http://x/", "ws://x/#a", "ws://x/#", undefined].map((url) => constructed(url)),
    "constructor: protocols": () => ["", "b c", ["a", "a"], ["a", "b c"], ["a", ""]].map((protocols) => constructed("ws://x/", protocols)),
    "constructor: accept": () => caught(() => new WebSocket("ws://127.0.0.1:1/").accept()),
    "constructor: send too early": () => caught(() => new WebSocket("ws://127.0.0.1:1/").send("x")),
    "constructor: no connection": async () => { const seen = []; const w = new WebSocket("ws://127.0.0.1:1/"); w.onerror = (e) => seen.push([e.type, e.constructor.name, w.readyState]); w.onclose = (e) => seen.push([e.type, e.code, e.reason, e.wasClean, w.readyState]); const first = w.readyState; while (seen.length < 2) await wait(5); return [first, seen]; },
};
