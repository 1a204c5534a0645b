import { type LocalStoreMachine, type NatsStore, openVault, type Vault } from "@ployz/nats-store";
import {
  basicUsers,
  bytesOf,
  type FactStore,
  isOfNamespace,
  type SecretRecord,
  type SecretRef,
  secretKey,
} from "@ployz/primitives/protocol";
import { operationIds } from "../clock.ts";
import { PloyzError } from "../error-codes.ts";

export type SecretName = Pick<SecretRef, "namespace" | "name">;
export type NewSecret = SecretName & {
  readonly value: string;
  readonly private: boolean;
  readonly by: string;
  /** Credentials of a registry. */
  readonly registry?: NonNullable<SecretRecord["registry"]>;
  readonly certificate?: NonNullable<SecretRecord["certificate"]>;
  /** A key of an ACME account. */
  readonly acme?: true;
  /** Where an alert is sent. */
  readonly alert?: true;
};

/**
 * The cluster's secrets, on a store machine. The vault holds each secret's value and is authoritative; a fact tells every machine the
 * secret's name and version. If they differ, a write was interrupted: the next access updates the fact from the vault.
 */
export interface SecretKeeper {
  /** Resolves with whether the value changed. @throws PloyzError `conflict`. */
  set(secret: NewSecret): Promise<{ readonly changed: boolean }>;
  /** @throws PloyzError `conflict`. */
  remove(name: SecretName): Promise<{ readonly changed: boolean }>;
  /** Their values, in order. @throws PloyzError `secret_changed`, `secret_lost`, without any value. */
  read(secrets: readonly SecretRef[]): Promise<readonly string[]>;
  /** The readable ones. */
  held(): Promise<readonly SecretRef[]>;
}

/** The vault's entry: the record with the value. */
type Held = SecretRecord & { readonly value: string };

export function openKeeper({
  vault,
  facts,
  newVersion,
  now,
}: {
  readonly vault: Vault;
  readonly facts: FactStore;
  newVersion(): string;
  now(): Date;
}): SecretKeeper {
  const look = async (name: SecretName) => {
    const sealed = await vault.get(vaultKey(name));
    return { revision: sealed?.revision ?? 0, held: heldIn(sealed?.text) };
  };

  /** Updates the fact from the vault. */
  async function tell(name: SecretName): Promise<void> {
    const key = secretKey(name);
    for (;;) {
      const { held } = await look(name);
      const fact = await facts.get(key);
      const told = fact?.value;
      // A version before 0.5 did not count users.
      const counted = held === undefined || recordOf(held).users === told?.users;
      if (held?.version === told?.version && counted) return;
      const written =
        held === undefined
          ? await facts.remove(key, fact?.revision ?? 0)
          : await facts.put(key, recordOf(held), fact?.revision ?? 0);
      if (written.ok) return;
    }
  }

  return {
    async set({ value, private: kept, by, ...name }) {
      const { held, revision } = await look(name);
      if (held?.value === value && (held.private === true) === kept) {
        await tell(name);
        return { changed: false };
      }
      const next: Held = {
        ...{ ...name, version: newVersion(), at: now().toISOString(), by, value },
        ...(kept && { private: true }),
      };
      const written = await vault.put(vaultKey(name), JSON.stringify(next), revision);
      if (!written.ok) throw conflict(name);
      await tell(name);
      return { changed: true };
    },
    async remove(name) {
      const { revision } = await look(name);
      const fact = await facts.get(secretKey(name));
      if (revision > 0 && !(await vault.remove(vaultKey(name), revision)).ok) throw conflict(name);
      await tell(name);
      return { changed: revision > 0 || fact !== undefined };
    },
    read: (secrets) =>
      Promise.all(
        secrets.map(async ({ version, ...name }) => {
          const { held } = await look(name);
          if (held === undefined) throw lost(name);
          if (held.version === version) return held.value;
          await tell(name);
          throw changed(name);
        }),
      ),
    async held() {
      const all = (await vault.list()).flatMap(({ text }) => heldIn(text) ?? []);
      const told = new Map<string, string>(
        (await facts.list("secret")).map(({ value }) => [secretKey(value), value.version] as const),
      );
      for (const one of all) if (told.get(secretKey(one)) !== one.version) await tell(one);
      return all.map(({ namespace, name, version }) => ({ namespace, name, version }));
    },
  };
}

/** On this machine. @throws PloyzError `not_a_store_machine`, `store_has_no_key`. */
export async function localKeeper({
  self,
  local,
  nats,
  facts,
}: {
  readonly self: string;
  readonly local: Pick<LocalStoreMachine, "record" | "sealKey">;
  readonly nats: NatsStore;
  readonly facts: FactStore;
}): Promise<SecretKeeper> {
  const sealKey = await local.sealKey();
  if (sealKey !== undefined) {
    const vault = openVault(nats.session, sealKey);
    return openKeeper({ vault, facts, ...operationIdsAndTime });
  }
  const holds = (await local.record())?.generations.some(({ state }) => state === "serving");
  throw holds === true
    ? new PloyzError({
        code: "store_has_no_key",
        message: `the store on ${self} is older than secrets, and has no key to encrypt them`,
        hint: "move the store, which creates one: ployzctl machine storage promote --replicas 1 MACHINE",
      })
    : new PloyzError({
        code: "not_a_store_machine",
        message: `${self} does not hold the store`,
        hint: "find its machines: ployzctl store status",
      });
}

const operationIdsAndTime = { newVersion: operationIds.newOperationId, now: () => new Date() };

const vaultKey = ({ namespace, name }: SecretName): string => `${namespace}.${name}`;

const heldIn = (text: string | undefined): Held | undefined =>
  text === undefined ? undefined : (JSON.parse(text) as Held);

function recordOf({ value, ...record }: Held): SecretRecord {
  const listed = isOfNamespace(record) ? basicUsers(value) : undefined;
  return { ...record, bytes: bytesOf(value), ...(listed?.ok && { users: listed.users.length }) };
}

const shownName = ({ namespace, name }: SecretName): string => `${namespace}/${name}`;

const conflict = (name: SecretName) =>
  new PloyzError({
    code: "conflict",
    message: `another command has just set ${shownName(name)}`,
    hint: "run the command again to overwrite that value",
  });
const changed = (name: SecretName) =>
  new PloyzError({
    code: "secret_changed",
    message: `${shownName(name)} was set again after this was planned`,
    hint: "run the same command again",
  });
const lost = (name: SecretName) =>
  new PloyzError({
    code: "secret_lost",
    message: `the store has lost the value of ${shownName(name)}`,
    hint: `set it again, from stdin: ployzctl secret set ${shownName(name)}`,
  });
