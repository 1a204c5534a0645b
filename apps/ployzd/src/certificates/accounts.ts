import { createHash, generateKeyPairSync } from "node:crypto";
import { errorBody } from "@ployz/errors";
import { type AcmeRecord, CERTIFICATES, type FactStore, secretKey } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { SecretKeeper } from "../secrets/keeper.ts";
import type { Account } from "./acme.ts";
import { LETS_ENCRYPT } from "./directories.ts";

type Deps = {
  readonly facts: Pick<FactStore, "get">;
  readonly secrets: Pick<SecretKeeper, "set" | "read">;
};

export const ACME_KEY = "acme.default";
/** The secret with the key of the external account. */
export const EAB = { namespace: CERTIFICATES, name: "eab" } as const;

export const authorityOf = async ({ facts }: Pick<Deps, "facts">): Promise<AcmeRecord | undefined> =>
  (await facts.get(ACME_KEY))?.value;

/** The account at the cluster's authority, or at Let's Encrypt's staging environment. Its key is made, and sealed, when it is first needed. */
export async function accountOf(deps: Deps, staging: boolean, by: string): Promise<Account> {
  const record = await authorityOf(deps);
  const directory = staging ? LETS_ENCRYPT.staging : (record?.directory ?? LETS_ENCRYPT.production);
  const place = {
    namespace: CERTIFICATES,
    name: `a${createHash("sha256").update(directory).digest("hex").slice(0, 24)}`,
  };
  // A recovered store has lost it: an account is made as if there had been none.
  let key = await read(deps, place).catch(absentWhenLost);
  if (key === undefined) {
    // Of two that make one at a time, the first is everybody's.
    await deps.secrets
      .set({ ...place, value: newAccountKey(), private: true, by, acme: true })
      .catch(() => undefined);
    key = (await read(deps, place)) ?? "";
  }
  const { email, eabKid: kid } = record ?? {};
  const hmacKey = staging || kid === undefined ? undefined : await read(deps, EAB).catch(lostKey);
  return {
    ...{ directory, key },
    ...(email !== undefined && { email }),
    ...(kid !== undefined && hmacKey !== undefined && { eab: { kid, hmacKey } }),
  };
}

function absentWhenLost(error: unknown): undefined {
  if (errorBody(error).code !== "secret_lost") throw error;
  return undefined;
}

function lostKey(cause: unknown): never {
  if (errorBody(cause).code !== "secret_lost") throw cause;
  throw new PloyzError(
    {
      code: "secret_lost",
      message: "the store has lost the key of the external account",
      hint: "set it again: ployzctl cert account set --eab-kid ID --eab-key-stdin < FILE",
    },
    { cause },
  );
}

/** P-256, as PEM. */
export const newAccountKey = (): string =>
  generateKeyPairSync("ec", { namedCurve: "P-256" })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();

async function read(
  { facts, secrets }: Deps,
  place: { readonly namespace: string; readonly name: string },
): Promise<string | undefined> {
  const version = (await facts.get(secretKey(place)))?.value.version;
  return version === undefined ? undefined : (await secrets.read([{ ...place, version }]))[0];
}
