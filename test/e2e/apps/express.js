import { httpServerHandler } from "cloudflare:node";
import express from "express";

const app = express();
app.disable("x-powered-by");
app.use(express.json());
app.use(express.urlencoded({ extended: true }));
app.use((req, res, next) => {
  res.set("x-seen", req.method);
  next();
});
app.get("/", (req, res) => res.send("express"));
app.get("/users/:id", (req, res) => res.json({ id: req.params.id, q: req.query.q, host: req.hostname }));
app.post("/json", (req, res) => res.status(201).json({ twice: req.body.n * 2 }));
app.post("/form", (req, res) => res.type("text").send(`${req.body.a}+${req.body.b}`));
app.get("/cookie", (req, res) => res.cookie("seen", "1", { httpOnly: true }).redirect(302, "/"));
app.get("/stream", (req, res) => {
  res.type("text");
  let n = 0;
  const timer = setInterval(() => {
    res.write(`part ${n++}\n`);
    if (n === 3) {
      clearInterval(timer);
      res.end();
    }
  }, 5);
});
app.get("/throws", () => {
  throw new Error("unexpected");
});
app.use((error, req, res, next) => (error ? res.status(error.status ?? 500).json({ error: error.message }) : next()));
app.listen(8080);

export default httpServerHandler({ port: 8080 });
