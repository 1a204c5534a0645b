import { join } from "node:path";
import type { Terminal } from "./terminal.ts";
import { payloadDir } from "./version.ts";

/**
 * V8 then keeps the compiled code of all that is imported afterwards. Called here and not set through NODE_COMPILE_CACHE, because the
 * environment would reach every program that is started. Node 20 has no such cache.
 */
export function useCompileCache({ env, root }: Pick<Terminal, "env" | "root">): void {
  const directory = root
    ? ownCache()
    : join(
        env.XDG_CACHE_HOME || join(env.HOME ?? process.getBuiltinModule("node:os").homedir(), ".cache"),
        "ployz/compile-cache",
      );
  if (directory !== undefined) process.getBuiltinModule("node:module").enableCompileCache?.(directory);
}

/** Only its user may write to the folder, because its contents are executed. Root's is part of an installation; a checkout has none. */
function ownCache(): string | undefined {
  const own = payloadDir();
  return process.getBuiltinModule("node:fs").existsSync(join(own, "version.json"))
    ? join(own, "cache")
    : undefined;
}
