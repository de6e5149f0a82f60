// Bytes through a Worker, and work on bytes and text that it holds.
const block = new Uint8Array(16 * 1024 * 1024).map((_, i) => i * 31);
const json = JSON.stringify(Array.from({ length: 6500 }, (_, i) => ({ id: i, name: `name ${i}`, tags: ["a", "b", `t${i % 10}`], nested: { x: i / 7, y: null, z: i % 2 === 0 }, text: "lorem ipsum dolor sit amet" })));
const urls = Array.from({ length: 1000 }, (_, i) => `https://user:pw@host${i % 50}.example.com:8443/some/../path/${i}/é?query=${i}&other=a%20b#fragment`);

const ways = {
    native: (request) => new Response(request.body),
    transform: (request) => new Response(request.body.pipeThrough(new TransformStream({ transform(chunk, controller) { controller.enqueue(chunk); } }))),
    identity: (request) => new Response(request.body.pipeThrough(new IdentityTransformStream())),
    async sha() {
        const sum = await crypto.subtle.digest("SHA-256", block);
        return new Response(String(new Uint8Array(sum)[0]));
    },
    json() {
        let n = 0;
        for (let i = 0; i < 10; i++) n += JSON.stringify(JSON.parse(json)).length;
        return new Response(`${n}`);
    },
    url() {
        let n = 0;
        for (let i = 0; i < 20; i++) for (const text of urls) n += new URL(text).pathname.length;
        return new Response(`${n}`);
    },
};

export default { fetch: (request) => ways[new URL(request.url).pathname.slice(1)](request) };
