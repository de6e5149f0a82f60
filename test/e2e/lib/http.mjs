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

// Sends raw bytes and collects everything until the server closes or `ms` have passed.
export function raw(selvedge, bytes, ms = 2000) {
  const base = new URL(selvedge.httpUrl);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(base.port), base.hostname);
    const chunks = [];
    const done = () => (socket.destroy(), resolve(Buffer.concat(chunks).toString("latin1")));
    const timer = setTimeout(done, ms);
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => (clearTimeout(timer), done()));
    for (const part of Array.isArray(bytes) ? bytes : [bytes]) socket.write(part);
  });
}

export const until = async (what, ms, ready) => {
  for (const begin = Date.now(); Date.now() - begin < ms; await new Promise((r) => setTimeout(r, 25))) {
    const value = await ready();
    if (value) return value;
  }
  throw new Error(`${what}: not within ${ms} ms`);
};
