// Documents: keep originals in R2, index their passages in D1 (FTS5), answer questions with ranked passages,
// remember answers in KV.
import { DOCUMENT_MAX, split, words } from "./text.js";

const PASSAGES_PER_ANSWER = 5;
const INSERTS_PER_BATCH = 100;
const ANSWER_TTL_S = 3600;

const problem = (status, error) => Response.json({ error }, { status });

// Every change of the collection moves its revision; answers are cached under it and die with it.
const revision = async (env) => (await env.INDEX.prepare("SELECT value FROM state WHERE name = 'revision'").first("value")) ?? 0;

async function put(request, env, name) {
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.length === 0) return problem(400, "The document is empty. Send its text as the request body.");
  if (bytes.length > DOCUMENT_MAX) return problem(413, `The document has ${bytes.length} bytes; ${DOCUMENT_MAX} is the most.`);

  const started = performance.now();
  await env.ORIGINALS.put(name, bytes, { httpMetadata: { contentType: "text/plain; charset=utf-8" } });
  const passages = split(bytes);
  const clear = [
    env.INDEX.prepare("DELETE FROM passages WHERE document = ?").bind(name),
    env.INDEX.prepare("INSERT INTO documents (name, size, passages) VALUES (?1, ?2, ?3) " +
      "ON CONFLICT (name) DO UPDATE SET size = ?2, passages = ?3").bind(name, bytes.length, passages.length),
    env.INDEX.prepare("UPDATE state SET value = value + 1 WHERE name = 'revision'"),
  ];
  const insert = env.INDEX.prepare("INSERT INTO passages (document, position, body) VALUES (?, ?, ?)");
  const rows = passages.map((body, position) => insert.bind(name, position, body));
  // One batch is one transaction; a document of ordinary size fits into the first.
  for (let at = 0; at === 0 || at < rows.length; at += INSERTS_PER_BATCH)
    await env.INDEX.batch([...(at === 0 ? clear : []), ...rows.slice(at, at + INSERTS_PER_BATCH)]);
  return Response.json({ name, size: bytes.length, passages: passages.length, ms: performance.now() - started }, { status: 201 });
}

async function original(env, name) {
  const object = await env.ORIGINALS.get(name);
  if (object === null) return problem(404, `There is no document "${name}".`);
  const headers = new Headers({ etag: object.httpEtag });
  object.writeHttpMetadata(headers);
  return new Response(object.body, { headers });
}

async function remove(env, name) {
  await env.ORIGINALS.delete(name);
  await env.INDEX.batch([
    env.INDEX.prepare("DELETE FROM passages WHERE document = ?").bind(name),
    env.INDEX.prepare("DELETE FROM documents WHERE name = ?").bind(name),
    env.INDEX.prepare("UPDATE state SET value = value + 1 WHERE name = 'revision'"),
  ]);
  return new Response(null, { status: 204 });
}

async function list(env) {
  const { results } = await env.INDEX.prepare("SELECT name, size, passages FROM documents ORDER BY name").all();
  return Response.json({ documents: results });
}

// Ranked passages: bm25 of FTS5, best first.
async function search(env, query) {
  const { results } = await env.INDEX.prepare(
    "SELECT document, position, body, snippet(passages, 2, '<mark>', '</mark>', ' … ', 48) AS excerpt, -bm25(passages) AS score " +
      "FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?",
  ).bind(query, PASSAGES_PER_ANSWER).all();
  return results;
}

async function ask(env, ctx, question) {
  const started = Date.now();
  const list = words(question);
  if (list.length === 0) return problem(400, "Ask with at least one word that is not a common one, for instance /api/ask?q=warranty");

  const key = `answer:${await revision(env)}:${list.join(" ")}`;
  const known = await env.ANSWERS.get(key, "json");
  if (known !== null) return Response.json({ question, words: list, cached: true, ms: Date.now() - started, passages: known });

  const passages = await search(env, list.map((word) => `"${word}"`).join(" OR "));
  ctx.waitUntil(env.ANSWERS.put(key, JSON.stringify(passages), { expirationTtl: ANSWER_TTL_S }));
  return Response.json({ question, words: list, cached: false, ms: Date.now() - started, passages });
}

const byMethod = { PUT: put, GET: (request, env, name) => original(env, name), DELETE: (request, env, name) => remove(env, name) };

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/api/documents") return list(env);
    if (url.pathname === "/api/ask") return ask(env, ctx, url.searchParams.get("q") ?? "");
    if (url.pathname.startsWith("/api/documents/")) {
      const name = decodeURIComponent(url.pathname.slice("/api/documents/".length));
      const handler = byMethod[request.method];
      return handler ? handler(request, env, name) : problem(405, "Use PUT, GET or DELETE.");
    }
    return problem(404, "Try /api/documents or /api/ask?q=…");
  },
};
