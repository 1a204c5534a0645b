import { createHash } from "node:crypto";
import type { Credentials } from "@ployz/images";
import { type FactStore, type SecretRef, secretKey } from "@ployz/primitives/protocol";

/** Docker Hub has several hosts and one login. */
export const registryHost = (host: string): string =>
  /^(?:https?:\/\/)?(?:index\.|registry-1\.)?docker\.io(?:\/.*)?$/.test(host) ? "docker.io" : host;

/** Credentials are kept as a secret of no namespace's: the kernel passes over records with a registry. */
export const credentialName = (host: string): Pick<SecretRef, "namespace" | "name"> => ({
  namespace: "registries",
  name: `r${createHash("sha256").update(registryHost(host)).digest("hex").slice(0, 40)}`,
});

/** Reads a registry's credentials from a store machine, each time that a registry wants some. */
export const credentialsFrom =
  (
    facts: Pick<FactStore, "get">,
    secrets: { read(refs: readonly SecretRef[]): Promise<readonly string[]> },
  ) =>
  async (host: string): Promise<Credentials | undefined> => {
    const name = credentialName(host);
    const fact = await facts.get(secretKey(name));
    if (fact === undefined) return undefined;
    const [value = ""] = await secrets.read([{ ...name, version: fact.value.version }]);
    return JSON.parse(value) as Credentials;
  };
