// The other end of service bindings: says what arrived.

function interesting(headers) {
    const seen = [...headers].filter(([name]) =>
        name.startsWith("x-") && !name.startsWith("x-forwarded") && !name.startsWith("x-real"));
    return Object.fromEntries(seen);
}

async function echo(request, url) {
    return Response.json({
        method: request.method,
        path: url.pathname,
        search: url.search,
        host: url.host,
        type: request.headers.get("content-type"),
        headers: interesting(request.headers),
        body: request.body === null ? null : await request.text(),
    });
}

function streamed() {
    const parts = ["one ", "two ", "three"];
    return new ReadableStream({
        async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            const part = parts.shift();
            if (part === undefined) controller.close();
            else controller.enqueue(new TextEncoder().encode(part));
        },
    });
}

const paths = {
    "/status": (_, url) => new Response(null, { status: Number(url.searchParams.get("code")) }),
    "/redirect": (_, url) => new Response(null, {
        status: Number(url.searchParams.get("code") ?? 302),
        headers: { location: url.searchParams.get("to") },
    }),
    "/loop": () => new Response(null, { status: 302, headers: { location: "/loop" } }),
    "/cookies": () => {
        const headers = new Headers();
        headers.append("set-cookie", "a=1; Path=/");
        headers.append("set-cookie", "b=2, and more");
        headers.append("x-two", "1");
        headers.append("x-two", "2");
        return new Response("cookies", { headers });
    },
    "/stream": () => new Response(streamed()),
    "/broken": (_, url) => {
        const what = url.searchParams.get("what");
        if (what === "range") throw new RangeError("out of range \u00e9");
        if (what === "text") throw "only text";
        if (what === "null") throw null;
        if (what === "named") throw Object.assign(new Error("named"), { name: "Mine" });
        throw new Error("broken on purpose");
    },
    "/pass": (request) => new Response(request.body, {
        headers: { "content-type": request.headers.get("content-type") ?? "none" },
    }),
    "/empty": () => new Response(null),
    "/slow": async (_, url) => {
        await new Promise((resolve) => setTimeout(resolve, Number(url.searchParams.get("ms"))));
        return new Response("slow");
    },
    "/half": () => new Response(new ReadableStream({
        start(controller) {
            controller.enqueue(new TextEncoder().encode("half"));
        },
        pull(controller) {
            controller.error(new Error("broken half way"));
        },
    })),
};

export default {
    async fetch(request) {
        const url = new URL(request.url);
        const handler = paths[url.pathname] ?? echo;
        return handler(request, url);
    },
};
