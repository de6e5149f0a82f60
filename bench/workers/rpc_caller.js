// Calls another Worker so many times, one after another or many at once; what costs time is measured by the client.
export default {
    async fetch(request, env) {
        const query = new URL(request.url).searchParams;
        const n = Number(query.get("n")), at = Number(query.get("at") ?? 1);
        const one = query.get("how") === "fetch" ? async () => (await env.CALLEE.fetch("http://callee/")).text() : (i) => env.CALLEE.add(i, 1);
        for (let i = 0; i < n; i += at) await (at === 1 ? one(i) : Promise.all(Array.from({ length: at }, (_, k) => one(i + k))));
        return new Response("done");
    },
};
