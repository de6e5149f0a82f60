import { createServer } from "node:http";
import { httpServerHandler } from "cloudflare:node";
import Koa from "koa";

const app = new Koa();
app.use(async (ctx, next) => {
  await next();
  ctx.set("x-took", "0");
});
app.use(async (ctx) => {
  if (ctx.path === "/echo") {
    const chunks = [];
    for await (const chunk of ctx.req) chunks.push(chunk);
    ctx.body = { method: ctx.method, text: Buffer.concat(chunks).toString() };
  } else if (ctx.path === "/teapot") ctx.throw(418, "short and stout");
  else ctx.body = `koa ${ctx.query.q ?? ""}`;
});

export default httpServerHandler(createServer(app.callback()).listen());
