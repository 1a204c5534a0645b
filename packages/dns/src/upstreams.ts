import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { Upstream } from "./upstream-health.ts";

/** The `nameserver` lines of resolv.conf(5), in order. Pure. */
export function parseResolvConf(text: string): readonly Upstream[] {
  return text
    .split("\n")
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? "")
    .filter((address) => isIP(address.replace(/%.*$/, "")) !== 0)
    .map((address) => ({ address, port: 53 }));
}

/** The machine's own resolvers; none when there is no such file. */
export async function systemUpstreams(path = "/etc/resolv.conf"): Promise<readonly Upstream[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return parseResolvConf(text);
}

/** Reports the machine's resolvers whenever the file has others; a file without any (one that is being written) changes nothing. */
export function followSystemUpstreams(
  changed: (upstreams: readonly Upstream[]) => void,
  path = "/etc/resolv.conf",
): () => void {
  const look = () =>
    void systemUpstreams(path).then((upstreams) => {
      if (upstreams.length > 0) changed(upstreams);
    });
  // Polled, and by name: the file is often a link that another program replaces.
  watchFile(path, { interval: LOOK_MS }, look);
  return () => unwatchFile(path, look);
}

const LOOK_MS = 1_000;

/** Drops upstreams that are this server itself: a question would loop forever. */
export function withoutSelf(
  upstreams: readonly Upstream[],
  listening: readonly { readonly address: string; readonly port: number }[],
): readonly Upstream[] {
  const local = new Set(
    Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map((one) => one.address) ?? []),
  );
  const isLocal = (address: string): boolean =>
    local.has(address) || address.startsWith("127.") || address === "::1" || isWildcard(address);
  return upstreams.filter(
    (upstream) =>
      !listening.some(
        (own) =>
          own.port === upstream.port &&
          (own.address === upstream.address || (isWildcard(own.address) && isLocal(upstream.address))),
      ),
  );
}

const isWildcard = (address: string): boolean => address === "0.0.0.0" || address === "::";
