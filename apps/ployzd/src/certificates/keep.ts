import { createBackoff } from "@ployz/exec";
import { type CertificateRecord, certificateKey, type FactStore } from "@ployz/primitives/protocol";
import { askCertify } from "../host/follower-socket.ts";
import type { SecretKeeper } from "../secrets/keeper.ts";
import type { CertificateFiles } from "../state/certificates.ts";
import { serialise } from "../state/files.ts";
import type { Records } from "../state/records.ts";

type Entry = { readonly key: string; readonly revision: number; readonly value: CertificateRecord };

export interface KeepDeps {
  readonly facts: Pick<FactStore, "list">;
  readonly mirror: Pick<Records, "facts" | "onChange">;
  readonly secrets: Pick<SecretKeeper, "read">;
  readonly files: CertificateFiles;
  readonly gatewaySocket: string;
  readonly signal: AbortSignal;
  log(error: unknown): void;
}

/** This machine's copies of the certificates. */
export interface CertificateKeeper {
  /** Brings them to the store's state now, and has the gateway serve them; false without a gateway. */
  serve(signal: AbortSignal): Promise<boolean>;
  readonly ended: Promise<void>;
}

/** Follows the facts for the life of the member: a machine that was away gets what it missed. */
export function keepCertificates(deps: KeepDeps): CertificateKeeper {
  const { facts, mirror, secrets, files, signal } = deps;
  const inTurn = serialise();
  /** The revision of each that is here. */
  let known: Map<string, number> | undefined;
  /** `later`: the mirror may be behind the store, so an earlier revision is passed over. */
  const bring = async (entries: readonly Entry[], later: boolean): Promise<boolean> => {
    const first = known === undefined;
    if (known === undefined)
      known = new Map((await files.list()).map(({ name, revision }) => [certificateKey(name), revision]));
    const here = known;
    let changed = first;
    for (const { key, revision, value } of entries) {
      const present = here.get(key) ?? 0;
      if (revision === present || (later && !first && revision < present)) continue;
      const { name, names, at, fingerprint, sealed } = value;
      if (value.removed === true) await files.remove(name);
      else {
        const [pem = ""] = await secrets.read([sealed]);
        await files.put({ name, names, at, revision, fingerprint, pem });
      }
      here.set(key, revision);
      changed = true;
    }
    return changed;
  };

  let wanted = 1;
  let wake: (() => void) | undefined;
  const stopListening = mirror.onChange((change) => {
    if (change.type === "applied") return;
    wanted += 1;
    wake?.();
  });
  signal.addEventListener("abort", () => wake?.(), { once: true });
  const follow = async (): Promise<void> => {
    const backoff = createBackoff(1_000, 30_000);
    for (let done = 0; !signal.aborted; ) {
      if (done === wanted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const round = wanted;
      try {
        await inTurn(async () => {
          if (await bring(mirror.facts("certificate"), true)) await askCertify(deps.gatewaySocket, signal);
        });
        backoff.reset();
        done = round;
      } catch (error) {
        if (signal.aborted) return;
        deps.log(error);
        await backoff.pause(signal).catch(() => undefined);
      }
    }
  };
  return {
    serve: (asked) =>
      inTurn(async () => {
        await bring(await facts.list("certificate"), false);
        return (await askCertify(deps.gatewaySocket, asked)).served;
      }),
    ended: follow().finally(stopListening),
  };
}
