import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { type Credentials, getOver, openRegistry, type Platform, type Registry } from "@ployz/images";
import type { Runtime } from "@ployz/runtime";
import type { Config } from "../config/load.ts";

/** Debian's certificates of the whole machine, and Docker's per registry: see update-ca-certificates(8) and dockerd(8). */
const SYSTEM = "/etc/ssl/certs/ca-certificates.crt";
const DOCKER = "/etc/docker/certs.d";

/** The client of registries of this machine. Certificates are read at the start of each pull, so that a new one counts at once. */
export async function registryOf(
  { registries }: Pick<Config, "registries">,
  credentials: (host: string) => Promise<Credentials | undefined>,
): Promise<Registry> {
  const system = await readFile(SYSTEM, "utf8").catch(() => undefined);
  const own = new Map(
    await Promise.all(
      (await readdir(DOCKER).catch(() => [])).map(
        async (host) => [host, await certificates(join(DOCKER, host))] as const,
      ),
    ),
  );
  const shared = [...rootCertificates, ...(system === undefined ? [] : [system])];
  const hosts = new Map(Object.entries(registries));
  const trust = (host: string) => ({
    ca: [...shared, ...(own.get(host) ?? [])],
    insecure: hosts.get(host)?.insecure,
  });
  return openRegistry({ get: getOver(trust), credentials, hosts: (host) => hosts.get(host) });
}

async function certificates(dir: string): Promise<readonly string[]> {
  const files = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith(".crt"));
  return Promise.all(files.map((name) => readFile(join(dir, name), "utf8")));
}

/** What this machine runs. */
export async function platformOf(runtime: Pick<Runtime, "facts">): Promise<Platform> {
  return { os: "linux", architecture: (await runtime.facts()).arch };
}
