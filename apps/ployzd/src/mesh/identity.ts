import { mkdir } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { createFileOnce, readFileIfThere } from "@ployz/exec";
import { createIdentity, publicKeyOf } from "@ployz/nats-store";
import {
  type CandidateEndpoint,
  candidateEndpoints,
  chooseEndpoint,
  ensureKeyFile,
  formatEndpoint,
} from "@ployz/wireguard";
import type { Config } from "../config/load.ts";
import type { Paths } from "../state/paths.ts";

/** The machine's own keys. The private halves never leave their 0600 files. */
export interface Identity {
  readonly publicKey: string;
  readonly nkey: string;
  readonly nkeySeed: string;
}

/** Reads the identity, and creates missing keys. */
export async function ensureIdentity(paths: Paths): Promise<Identity> {
  await mkdir(paths.identity, { recursive: true, mode: 0o700 });
  const { publicKey } = await ensureKeyFile(paths.wireguardKey);
  const nkeySeed = (
    (await readFileIfThere(paths.nkeySeed)) ??
    (await createFileOnce(paths.nkeySeed, `${createIdentity().seed}\n`))
  ).trim();
  return { publicKey, nkey: publicKeyOf(nkeySeed), nkeySeed };
}

/** Addresses under which peers may reach this machine, and their interfaces. `exclude` as below. */
export const localCandidates = (
  config: Pick<Config, "clusterCidr">,
  exclude: readonly string[],
): readonly CandidateEndpoint[] =>
  candidateEndpoints(networkInterfaces(), { exclude: [config.clusterCidr, ...exclude] });

/**
 * Where peers may reach this machine, best first: on private networks, then at `reachedAt`, an address that a connection just used; `exclude` is the range of a
 * cluster other than the configured one.
 */
export function localEndpoints(
  config: Config,
  {
    reachedAt,
    exclude = [],
  }: { readonly reachedAt?: string | undefined; readonly exclude?: readonly string[] } = {},
): readonly string[] {
  const candidates = localCandidates(config, exclude);
  const reached = chooseEndpoint([], reachedAt);
  const near = candidates.flatMap(({ address, scope }) => (scope === "private" ? [address] : []));
  const known = reached === undefined ? [] : [reached];
  const addresses = [
    ...known.filter((address) => near.includes(address)),
    ...near,
    ...known,
    ...candidates.map(({ address }) => address),
  ];
  return [...new Set(addresses)].map((address) => formatEndpoint(address, config.wireguardPort));
}
