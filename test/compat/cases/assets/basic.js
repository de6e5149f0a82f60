import { caught } from "../../worker/report.js";

const U = "https://assets.local";
const show = async (r) => ({ status: r.status, type: r.headers.get("content-type"), location: r.headers.get("location"), cache: r.headers.get("cache-control"), etag: typeof r.headers.get("etag"), body: await r.text() });
const get = (path, init) => async ({ env }) => show(await env.ASSETS.fetch(U + path, { redirect: "manual", ...init }));

const table = {};
for (const path of ["/", "/index.html", "/index", "/about", "/about/", "/about.html", "/docs", "/docs/", "/docs/index.html", "/docs/page", "/docs/page.html", "/docs/page/", "/style.css", "/app.js", "/data.json", "/logo.svg", "/blob.unknownext",
    "/sp%20ace/te%20xt.txt", "/nothing", "/docs/nothing", "/../style.css", "//style.css", "/style.css/", "/STYLE.CSS", "/%73tyle.css", "/style.css?x=1", "/about?x=1", "/about.html?x=1", "/404", "/404.html", "/_headers", "/.hidden"])
    table[`get ${path}`] = get(path);
for (const method of ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"]) table[`method ${method}`] = get("/style.css", { method });

export default {
    ...table,
    "not modified": async ({ env }) => { const a = await env.ASSETS.fetch(`${U}/style.css`); const b = await env.ASSETS.fetch(`${U}/style.css`, { headers: { "if-none-match": a.headers.get("etag") } }); return [b.status, await b.text()]; },
    "modified": async ({ env }) => (await env.ASSETS.fetch(`${U}/style.css`, { headers: { "if-none-match": '"other"' } })).status,
    "redirect followed": async ({ env }) => { const r = await env.ASSETS.fetch(`${U}/about.html`); return [r.status, await r.text()]; },
    "Request object": async ({ env }) => show(await env.ASSETS.fetch(new Request(`${U}/data.json`))),
    "json": async ({ env }) => (await env.ASSETS.fetch(`${U}/data.json`)).json(),
    "relative": ({ env }) => caught(() => env.ASSETS.fetch("/style.css")),
};
