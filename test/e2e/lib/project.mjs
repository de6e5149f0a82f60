// Small wrangler projects in temporary directories.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

// files: {"index.js": "…", "public/a.css": Buffer}; config becomes wrangler.jsonc.
export function project(config, files = {}) {
  const dir = mkdtempSync(join(tmpdir(), "selvedge-project-"));
  const p = {
    dir,
    write(path, content) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), content);
    },
    config(value) {
      p.write("wrangler.jsonc", JSON.stringify({ compatibility_date: "2025-09-01", ...value }));
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
  for (const [path, content] of Object.entries(files)) p.write(path, content);
  p.config(config);
  return p;
}
