import {
  type CertificateRecord,
  type FactStore,
  type MachineRecord,
  secretKey,
} from "@ployz/primitives/protocol";
import type { AskPeer } from "../peers/ask.ts";
import type { SecretKeeper } from "../secrets/keeper.ts";
import type { CertificateFiles } from "../state/certificates.ts";

/** Names of certificates whose keys a rebuilt store has again, and of those that it lacks. */
export type Restored = { readonly restored: readonly string[]; readonly lost: readonly string[] };

export interface RestoreDeps {
  readonly facts: Pick<FactStore, "list" | "get" | "put">;
  /** Of the new store machines. */
  readonly secrets: Pick<SecretKeeper, "held" | "set">;
  readonly ask: AskPeer;
  members(): readonly Pick<MachineRecord, "id">[];
  log(error: unknown): void;
}

/**
 * A store that is rebuilt from a mirror has no secrets, but each gateway has its copies of the certificates: seals them again. A certificate that no machine
 * that answers has, with the fingerprint of its fact, is lost: it must be issued or imported again.
 */
export async function restoreKeys({ facts, secrets, ask, members, log }: RestoreDeps): Promise<Restored> {
  const held = new Set((await secrets.held()).map(({ namespace, name }) => `${namespace}/${name}`));
  const missing = (await facts.list("certificate")).filter(
    ({ value: { removed, sealed } }) => removed !== true && !held.has(`${sealed.namespace}/${sealed.name}`),
  );
  const [restored, lost]: [string[], string[]] = [[], []];
  for (const { key, revision, value } of missing) {
    const done = await restore(key, { revision, value }).catch(log);
    (done === true ? restored : lost).push(value.name);
  }
  return { restored: restored.sort(), lost: lost.sort() };

  async function restore(
    key: `certificate.${string}`,
    { revision, value }: { readonly revision: number; readonly value: CertificateRecord },
  ): Promise<boolean> {
    const pem = await copyOf(value);
    if (pem === undefined) return false;
    const { namespace, name } = value.sealed;
    await secrets.set({ namespace, name, value: pem, private: true, by: value.by });
    const version = (await facts.get(secretKey({ namespace, name })))?.value.version ?? "";
    const sealed = { namespace, name, version };
    return (await facts.put(key, { ...value, sealed }, revision)).ok;
  }

  async function copyOf({ name, fingerprint }: CertificateRecord): Promise<string | undefined> {
    for (const { id } of members()) {
      const { pem } = await ask(id, "certificate.copy", { name, fingerprint }).catch(() => NONE);
      if (pem !== undefined) return pem;
    }
    return undefined;
  }
}

const NONE: { readonly pem?: string } = {};

/** This machine's copy of a certificate, if it is that one. */
export const copyHandler = (files: Pick<CertificateFiles, "list">) => ({
  "certificate.copy": async ({
    name,
    fingerprint,
  }: {
    readonly name: string;
    readonly fingerprint: string;
  }) => {
    const found = (await files.list()).find((one) => one.name === name && one.fingerprint === fingerprint);
    return found === undefined ? NONE : { pem: found.pem };
  },
});
