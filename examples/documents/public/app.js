const $ = (id) => document.getElementById(id);
const size = (n) => (n < 1024 ? `${n} B` : `${(n / 1024).toFixed(1)} KB`);
const link = (name) => `/api/documents/${encodeURIComponent(name)}`;

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// The excerpt's only markup is <mark>: everything else is text.
function excerpt(text) {
  const p = element("p");
  for (const [i, part] of text.split(/<\/?mark>/).entries()) p.append(i % 2 ? element("mark", { textContent: part }) : part);
  return p;
}

async function showCollection() {
  const { documents } = await (await fetch("/api/documents")).json();
  const passages = documents.reduce((sum, d) => sum + d.passages, 0);
  $("summary").textContent = `${documents.length} documents, ${passages} passages`;
  $("documents").replaceChildren(
    ...documents.map((d) =>
      element("li", {}, element("a", { href: link(d.name), textContent: d.name }), element("span", { className: "where", textContent: `${d.passages} passages · ${size(d.size)}` })),
    ),
  );
}

async function ask(question) {
  const response = await fetch(`/api/ask?q=${encodeURIComponent(question)}`);
  const answer = await response.json();
  $("status").textContent = response.ok
    ? `${answer.passages.length} passages for ${answer.words.join(", ")} in ${answer.ms} ms${answer.cached ? ", remembered" : ""}`
    : answer.error;
  $("answers").replaceChildren(
    ...(answer.passages ?? []).map((p) =>
      element("li", {}, element("p", { className: "where" }, element("a", { href: link(p.document), textContent: p.document }), `passage ${p.position + 1} · ${p.score.toFixed(2)}`), excerpt(p.excerpt)),
    ),
  );
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  history.replaceState(null, "", `?q=${encodeURIComponent(question)}`);
  if (question) ask(question);
});

$("file").addEventListener("change", async (event) => {
  for (const file of event.target.files) {
    $("status").textContent = `Reading ${file.name} …`;
    await fetch(link(file.name), { method: "PUT", body: file });
  }
  $("status").textContent = "";
  await showCollection();
});

await showCollection();
const asked = new URLSearchParams(location.search).get("q");
if (asked) {
  $("question").value = asked;
  await ask(asked);
}
