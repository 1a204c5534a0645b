import { createHash } from "node:crypto";

/**
 * Names what each layer and all below it make together, lowest first: https://github.com/opencontainers/image-spec/blob/main/config.md, "Layer
 * ChainID". Images that begin with the same layers share these names.
 */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(
      below === undefined
        ? diffId
        : `sha256:${createHash("sha256").update(`${below} ${diffId}`).digest("hex")}`,
    );
  }
  return chain;
}
