import { type CertificateRecord, certificateKey, type FactStore } from "@ployz/primitives/protocol";
import { askCertify } from "../host/follower-client.ts";
import type { SecretKeeper } from "../secrets/keeper.ts";
import type { CertificateFiles } from "../state/certificates.ts";
import { serialise } from "../state/files.ts";
import { type FollowDeps, followChanges } from "../state/follow-changes.ts";
import type { Records } from "../state/records.ts";

type Entry = { readonly key: string; readonly revision: number; readonly value: CertificateRecord };

export interface KeepDeps extends FollowDeps {
  readonly facts: Pick<FactStore, "list">;
  readonly mirror: Pick<Records, "facts" | "onChange">;
  readonly secrets: Pick<SecretKeeper, "read">;
  readonly files: CertificateFiles;
  readonly gatewaySocket: string;
}

/** This machine's copies of the certificates. */
export interface CertificateKeeper {
  /** Brings them to the store's state now, and has the gateway serve them; false without a gateway. Fails when `name` cannot be had. */
  serve(name: string, signal: AbortSignal): Promise<boolean>;
  readonly ended: Promise<void>;
}

/** Follows the facts for the life of the member: a machine that was away gets what it missed. */
export function keepCertificates(deps: KeepDeps): CertificateKeeper {
  const { facts, mirror, secrets, files, signal } = deps;
  const inTurn = serialise();
  /** The revision of each that is here. */
  let known: Map<string, number> | undefined;
  /**
   * `later`: the mirror may be behind the store, so an earlier revision is passed over. One that cannot be had, since its key is lost, keeps no other from its
   * gateway: resolves with the reasons, by key.
   */
  const bring = async (entries: readonly Entry[], later: boolean) => {
    const first = known === undefined;
    if (known === undefined)
      known = new Map((await files.list()).map(({ name, revision }) => [certificateKey(name), revision]));
    const here = known;
    const failures = new Map<string, unknown>();
    let changed = first;
    for (const { key, revision, value } of entries) {
      const present = here.get(key) ?? 0;
      if (revision === present || (later && !first && revision < present)) continue;
      try {
        await take({ revision, value });
        here.set(key, revision);
        changed = true;
      } catch (error) {
        failures.set(key, error);
      }
    }
    return { changed, failures };
  };
  const take = async ({ revision, value }: Pick<Entry, "revision" | "value">): Promise<void> => {
    const { name, names, at, fingerprint, sealed, removed } = value;
    if (removed === true) return files.remove(name);
    const [pem = ""] = await secrets.read([sealed]);
    await files.put({ name, names, at, revision, fingerprint, pem });
  };

  const follow = () =>
    inTurn(async () => {
      const { changed, failures } = await bring(mirror.facts("certificate"), true);
      if (changed) await askCertify(deps.gatewaySocket, signal);
      const [error] = failures.values();
      if (error !== undefined) throw error;
    });
  return {
    serve: (name, asked) =>
      inTurn(async () => {
        const { failures } = await bring(await facts.list("certificate"), false);
        const { served } = await askCertify(deps.gatewaySocket, asked);
        const key = certificateKey(name);
        if (failures.has(key)) throw failures.get(key);
        return served;
      }),
    ended: followChanges(deps, follow),
  };
}
