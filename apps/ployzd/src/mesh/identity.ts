import { mkdir, readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { createIdentity } from "@ployz/nats-store";
import { candidateEndpoints, ensureKeyFile } from "@ployz/wireguard";
import type { Config } from "../config/load.ts";
import type { Paths } from "../state/paths.ts";

/** The machine's own keys. The private halves never leave their 0600 files. */
export interface Identity {
  readonly publicKey: string;
  readonly nkey: string;
  readonly nkeySeed: string;
}

/** Reads the identity, making what is missing. */
export async function ensureIdentity(paths: Paths): Promise<Identity> {
  await mkdir(paths.identity, { recursive: true, mode: 0o700 });
  const { publicKey } = await ensureKeyFile(paths.wireguardKey);
  const present = await readFile(paths.nkeySeed, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (present !== undefined) {
    const { seed, publicKey: nkey } = createIdentity(present.trim());
    return { publicKey, nkey, nkeySeed: seed };
  }
  const made = createIdentity();
  await writeFile(paths.nkeySeed, `${made.seed}\n`, { mode: 0o600, flag: "wx" });
  return { publicKey, nkey: made.publicKey, nkeySeed: made.seed };
}

/** Where peers may reach this machine, best first. `preferred` is the address it was just reached at. */
export function localEndpoints(config: Config, preferred?: string): readonly string[] {
  const found = candidateEndpoints(networkInterfaces(), { port: config.wireguardPort, exclude: [config.clusterCidr] }).map(({ endpoint }) => endpoint);
  const first = preferred !== undefined && /^(\d{1,3}\.){3}\d{1,3}$/.test(preferred) ? [`${preferred}:${config.wireguardPort}`] : [];
  return [...new Set([...first, ...found])];
}
