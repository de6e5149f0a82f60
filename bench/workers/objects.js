// Durable Objects: /ping (nothing), /put (one write), /many?n=&from= (a write in each of n objects, at once).
import { DurableObject } from "cloudflare:workers";

export class Thing extends DurableObject {
    n = 0;
    async fetch(request) {
        if (request.url.endsWith("/put")) await this.ctx.storage.put("value", ++this.n);
        return new Response("pong");
    }
}

export default {
    async fetch(request, env) {
        const url = new URL(request.url), name = url.searchParams.get("name") ?? "one";
        if (url.pathname === "/nothing") return new Response("pong");
        if (url.pathname === "/prepare") return new Response("ready");
        if (url.pathname === "/many") {
            const n = Number(url.searchParams.get("n")), objects = Number(url.searchParams.get("objects"));
            const stubs = Array.from({ length: objects }, (_, i) => env.THINGS.getByName(`many ${i}`));
            for (let i = 0; i < n; i += objects) await Promise.all(stubs.map(async (stub) => (await stub.fetch("http://o/put")).text()));
            return new Response("done");
        }
        return env.THINGS.getByName(name).fetch(`http://o${url.pathname}`);
    },
};
