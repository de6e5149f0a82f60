// Deploys Workers through the REST API, as an SDK would: faster than starting wrangler for each test.

const types = { js: "application/javascript+module", mjs: "application/javascript+module", wasm: "application/wasm", txt: "text/plain", bin: "application/octet-stream", json: "application/json", cjs: "application/javascript" };

// The Worker answers at <name>.localhost afterwards. modules: {"index.js": "source" | Uint8Array}; the first is the main one. metadata: more members of the upload's metadata.
export async function deploy(selvedge, name, modules, metadata = {}) {
  const files = typeof modules === "string" ? { "index.js": modules } : modules;
  const form = new FormData();
  const main = Object.keys(files)[0];
  form.set("metadata", JSON.stringify({ main_module: main, compatibility_date: "2026-01-01", bindings: [], ...metadata }));
  for (const [path, content] of Object.entries(files)) form.set(path, new File([content], path, { type: types[path.split(".").pop()] }));
  const answer = await api(selvedge, "PUT", `/workers/scripts/${name}`, form);
  await api(selvedge, "POST", `/workers/scripts/${name}/subdomain`, { enabled: true });
  return answer;
}

// One call of the control API below the account; returns `result`, throws an Error with `.errors` and `.status`.
export async function api(selvedge, method, path, body) {
  const response = await fetch(`${selvedge.apiUrl}/accounts/${selvedge.account}${path}`, {
    method,
    headers: { authorization: `Bearer ${selvedge.token}`, ...(body && !(body instanceof FormData) && { "content-type": "application/json" }) },
    body: body instanceof FormData || body === undefined ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`${method} ${path}: status ${response.status}, not JSON: ${text.slice(0, 300)}`);
  }
  if (answer.success !== response.ok) throw new Error(`${method} ${path}: status ${response.status} but success is ${answer.success}`);
  if (!answer.success) throw Object.assign(new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer.errors)}`), { status: response.status, errors: answer.errors });
  return answer.result;
}
