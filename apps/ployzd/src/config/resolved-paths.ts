import { realpath } from "node:fs/promises";
import type { Allowed } from "@ployz/primitives/protocol";

/**
 * With the paths that links of the operator lead to. An entry below another one is not resolved: a workload that may write to the upper one could
 * put a link there.
 */
export async function resolvedPaths(allowed: Allowed): Promise<Allowed> {
  const { hostPaths = [], keptPaths = [] } = allowed;
  const plain = (entry: string) => entry.replace(/:ro$/, "");
  const isBelowAnother = (path: string) =>
    hostPaths.some((other) => plain(other) !== path && path.startsWith(`${plain(other)}/`));
  const resolved = await Promise.all(
    hostPaths.map(async (entry) => {
      const path = plain(entry);
      const real = isBelowAnother(path) ? path : await realPath(path);
      return `${real}${entry.slice(path.length)}`;
    }),
  );
  return {
    ...allowed,
    hostPaths: [...new Set([...hostPaths, ...resolved])],
    keptPaths: [...new Set([...keptPaths, ...(await Promise.all(keptPaths.map(realPath)))])],
  };
}

const realPath = (path: string): Promise<string> => realpath(path).catch(() => path);
