import type { SecretChanged, SecretList, SecretSet } from "@ployz/primitives/client";
import { secretUsers } from "@ployz/primitives/host";
import {
  bytesOf,
  checkLabel,
  isOfNamespace,
  LIMITS,
  type SecretRecord,
  secretKey,
} from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import { invalid, printable } from "../operations/request.ts";
import type { SecretName } from "../secrets/keeper.ts";
import { needNamespace } from "./named.ts";
import type { ApiRoutes } from "./router.ts";

type SecretRoutes = "GET /v1/secrets" | "PUT /v1/secrets/:ns/:name" | "DELETE /v1/secrets/:ns/:name";

export function secretRoutes(daemon: Daemon): Pick<ApiRoutes["json"], SecretRoutes> {
  return {
    "GET /v1/secrets": ({ query }) => list(daemon.member(), query.namespace),
    "PUT /v1/secrets/:ns/:name": async ({ params, body }): Promise<SecretChanged> => {
      const name = nameOf(params);
      const secret = secretOf(await body());
      const member = daemon.member();
      const { changed } = await member.secrets.set({ ...name, ...secret, private: secret.private === true });
      return { kind: "secret-set", ...name, changed, ...uses(name, await known(member), member) };
    },
    "DELETE /v1/secrets/:ns/:name": async ({ params }): Promise<SecretChanged> => {
      const name = nameOf(params);
      const member = daemon.member();
      const { users: workloads } = uses(name, await known(member), member);
      const users = [...workloads, ...(await repositoriesWith(name, member))];
      if (users.length > 0)
        throw new PloyzError({
          code: "secret_in_use",
          message: `${name.namespace}/${name.name} is used by ${users.join(", ")}`,
          hint: "deploy them without it first; to change its value use: ployzctl secret set",
        });
      const { changed } = await member.secrets.remove(name);
      return { kind: "secret-removed", ...name, changed, users: [], outdated: [] };
    },
  };
}

async function list(member: Member, namespace: string | undefined): Promise<SecretList> {
  if (namespace !== undefined) checked("namespace", namespace);
  // It also updates the facts from the vault.
  const held = new Set((await member.secrets.held()).map(secretKey));
  const facts = await known(member);
  const rows = facts
    .map(({ record }) => record)
    .filter(isOfNamespace)
    .filter((record) => namespace === undefined || record.namespace === namespace)
    .sort((left, right) => (secretKey(left) < secretKey(right) ? -1 : 1));
  if (namespace !== undefined && rows.length === 0) needNamespace(member.heads(), namespace);
  return {
    kind: "secrets",
    secrets: rows.map((record) => {
      const { version, at, by } = record;
      const { namespace: owner, name } = record;
      return {
        ...{ namespace: owner, name, version, at, by, private: record.private === true },
        state: held.has(secretKey(record)) ? "set" : "lost",
        ...uses(record, facts, member),
      };
    }),
  };
}

type Known = readonly { readonly record: SecretRecord; readonly revision: number }[];

const known = async ({ store }: Member): Promise<Known> =>
  (await store.facts.list("secret")).map(({ value, revision }) => ({
    record: value,
    revision,
  }));

/** A secret's users, and the instances started with an older version. */
function uses(name: SecretName, secrets: Known, member: Member): Pick<SecretChanged, "users" | "outdated"> {
  const commits = member.heads().map(({ commit }) => commit);
  const present = secrets.find(({ record }) => secretKey(record) === secretKey(name))?.record.version;
  const outdated = commits
    .flatMap(({ instances }) => instances)
    .filter(({ secrets: started = {} }) =>
      Object.values(started).some((ref) => secretKey(ref) === secretKey(name) && ref.version !== present),
    );
  return { users: secretUsers(name, commits, secrets), outdated: outdated.map(({ id }) => id).sort() };
}

/** Repositories for backups whose credentials it has. */
async function repositoriesWith(name: SecretName, { store }: Member): Promise<readonly string[]> {
  const facts = await store.facts.list("backup-repository");
  return facts.flatMap(({ value }) =>
    value.removed !== true && secretKey(value.secret) === secretKey(name)
      ? [`the backup repository ${value.name}`]
      : [],
  );
}

function nameOf({ ns, name }: { readonly ns: string; readonly name: string }): SecretName {
  checked("namespace", ns);
  checked("name", name);
  return { namespace: ns, name };
}

function checked(field: string, text: string): void {
  const problem = checkLabel(field, text);
  if (problem !== undefined) throw new PloyzError(problem);
}

function secretOf({ value, by, ...rest }: SecretSet): SecretSet {
  if (bytesOf(value) > LIMITS.word) throw invalid(`value: is longer than ${LIMITS.word} bytes`);
  return { value, by: printable(by), ...rest };
}
