import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getOver, openImageStore, openRegistry, parseReference } from "@ployz/images";

const store = openImageStore(await mkdtemp(join(tmpdir(), "images-")));
const registry = openRegistry({
  get: getOver(() => ({})), // no certificates beside those that Node knows
  credentials: async () => undefined,
});
const ref = parseReference("127.0.0.1:1/team/web:v4");
const problem = await registry
  .manifest(ref, AbortSignal.timeout(5_000))
  .catch(({ code }: { code: string }) => code);
console.log(problem, await store.entries());

export { problem, store };
