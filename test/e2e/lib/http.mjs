// Requests to Workers: Node does not resolve *.localhost, and fetch() may not set Host.
import { request } from "node:http";
import { connect } from "node:net";

export const agentless = { agent: false };

// Resolves with {status, headers, trailers, body (Buffer), text}; rejects when the connection breaks.
export function get(selvedge, name, path = "/", options = {}) {
  const base = new URL(selvedge.httpUrl);
  return new Promise((resolve, reject) => {
    const req = request(
      { host: base.hostname, port: base.port, path, method: options.method ?? "GET", agent: options.agent, headers: { host: `${name}.localhost:${base.port}`, ...options.headers } },
      (res) => {
        const chunks = [];
        res.on("data", (chunk) => chunks.push(chunk));
        res.on("error", reject);
        res.on("end", () => {
          const body = Buffer.concat(chunks);
          resolve({ status: res.statusCode, headers: res.headers, trailers: res.trailers, body, text: body.toString() });
        });
      },
    );
    req.on("error", reject);
    if (options.signal) options.signal.addEventListener("abort", () => req.destroy());
    req.end(options.body);
  });
}

// Sends raw bytes and collects everything until the server closes or `ms` have passed. In a list of parts a regular
// expression waits until what has come matches it.
export function raw(selvedge, bytes, ms = 2000) {
  const base = new URL(selvedge.httpUrl);
  const parts = Array.isArray(bytes) ? [...bytes] : [bytes];
  return new Promise((resolve, reject) => {
    const socket = connect(Number(base.port), base.hostname);
    let text = "";
    const done = () => (socket.destroy(), resolve(text));
    const timer = setTimeout(done, ms);
    const go = () => {
      while (parts.length > 0 && (typeof parts[0] === "string" || parts[0].test(text))) {
        const part = parts.shift();
        if (typeof part === "string") socket.write(part, "latin1");
      }
    };
    socket.on("data", (chunk) => ((text += chunk.toString("latin1")), go()));
    socket.on("error", reject);
    socket.on("close", () => (clearTimeout(timer), done()));
    go();
  });
}

export const until = async (what, ms, ready) => {
  for (const begin = Date.now(); Date.now() - begin < ms; await new Promise((r) => setTimeout(r, 25))) {
    const value = await ready();
    if (value) return value;
  }
  throw new Error(`${what}: not within ${ms} ms`);
};
