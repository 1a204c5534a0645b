import { CERTIFICATES, type CertificateMeta, type FactStore, secretKey } from "@ployz/primitives/protocol";
import type { SecretKeeper } from "../secrets/keeper.ts";

export type SealedRef = { readonly namespace: string; readonly name: string; readonly version: string };

/** Seals chain and key in the store, under a name of its own: the served one stays as it is. */
export async function seal(
  { facts, secrets }: { readonly facts: Pick<FactStore, "get">; readonly secrets: SecretKeeper },
  {
    name,
    pem,
    certificate,
    by,
  }: {
    readonly name: string;
    readonly pem: string;
    readonly certificate: CertificateMeta;
    readonly by: string;
  },
): Promise<SealedRef> {
  const place = { namespace: CERTIFICATES, name };
  await secrets.set({ ...place, value: pem, private: true, by, certificate });
  return { ...place, version: (await facts.get(secretKey(place)))?.value.version ?? "" };
}
