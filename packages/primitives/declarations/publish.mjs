// After tsc: the declarations in dist name TypeBox's types by declarations/types.d.ts.
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

const dist = join(import.meta.dirname, "../dist");
const own = join(dist, "declarations");
for (const file of readdirSync(dist, { recursive: true })) {
  const path = join(dist, String(file));
  if (!path.endsWith(".d.ts") || path.startsWith(own)) continue;
  const text = readFileSync(path, "utf8");
  const to = relative(join(path, ".."), join(own, "typebox.js"));
  const next = text.replaceAll('"typebox"', `"${to.startsWith(".") ? to : `./${to}`}"`);
  if (next !== text) writeFileSync(path, next);
}
for (const name of ["types.d.ts", "typebox.d.ts"]) cpSync(join(import.meta.dirname, name), join(own, name));
