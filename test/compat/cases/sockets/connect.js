import { connect } from "cloudflare:sockets";
import * as sockets from "cloudflare:sockets";
import { caught } from "../../worker/report.js";

const attempt = (address, options) => caught(() => { const s = connect(address, options); s.opened.catch(() => {}); s.closed.catch(() => {}); return "a socket"; });
const table = {};
for (const address of ["nonsense", ":80", "host", "a b:80", "", "host:port", "host:99999", "1.2.3.4", "[::1]", "http://a:80", "user@host:1"])
    table[`address "${address}"`] = () => attempt(address);

export default {
    ...table,
    "names": () => Object.keys(sockets).includes("connect"),
    "secureTransport": () => attempt("127.0.0.1:1", { secureTransport: "maybe" }),
    "shape": () => {
        const s = connect("127.0.0.1:1");
        s.opened.catch(() => {});
        s.closed.catch(() => {});
        return [s.readable instanceof ReadableStream, s.writable instanceof WritableStream, s.opened instanceof Promise, s.closed instanceof Promise, s.upgraded, s.secureTransport, Object.prototype.toString.call(s), s.constructor.name];
    },
    "secureTransport on": () => { const s = connect("127.0.0.1:1", { secureTransport: "starttls" }); s.opened.catch(() => {}); s.closed.catch(() => {}); return s.secureTransport; },
    "startTls of off": () => caught(() => { const s = connect("127.0.0.1:1"); s.opened.catch(() => {}); s.closed.catch(() => {}); s.startTls(); }),
    "startTls of on": () => caught(() => { const s = connect("127.0.0.1:1", { secureTransport: "on" }); s.opened.catch(() => {}); s.closed.catch(() => {}); s.startTls(); }),
    "constructor": () => caught(() => { const s = connect("127.0.0.1:1"); s.opened.catch(() => {}); s.closed.catch(() => {}); return typeof new s.constructor(); }),
};
