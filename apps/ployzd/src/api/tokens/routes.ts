import { randomBytes } from "node:crypto";
import type { TokenCreate, TokenCreated, TokenRow } from "@ployz/primitives/client";
import { checkLabel, encodeToken, isMember, type TokenRecord, tokenKey } from "@ployz/primitives/protocol";
import type { Daemon } from "../../daemon/daemon.ts";
import type { Member } from "../../daemon/member-parts.ts";
import { PloyzError } from "../../error-codes.ts";
import { printable } from "../../operations/request.ts";
import type { ApiRoutes } from "../router.ts";
import { hashOf } from "./authenticate.ts";

type TokenRoutes = "POST /v1/tokens" | "GET /v1/tokens" | "GET /v1/tokens/:name" | "DELETE /v1/tokens/:name";

/** Machines in the text of a token, which is copied by hand. */
const MOST_MACHINES = 5;
/** Other machines open their ports meanwhile. */
const OPEN_MS = 3_000;
/** Expired tokens stay listed for a week; creating the next one deletes them. */
const KEPT_MS = 7 * 86_400_000;

export function tokenRoutes(daemon: Daemon): Pick<ApiRoutes["json"], TokenRoutes> {
  return {
    "POST /v1/tokens": async ({ body }) => create(daemon.member(), await body()),
    "GET /v1/tokens": async () => ({
      kind: "tokens",
      tokens: (await list(daemon.member())).map(({ value }) => rowOf(value)),
    }),
    "GET /v1/tokens/:name": async ({ params }) => ({
      kind: "token",
      ...rowOf((await find(daemon.member(), params.name)).value),
    }),
    "DELETE /v1/tokens/:name": async ({ params }) => {
      const member = daemon.member();
      const { key, value, revision } = await find(member, params.name);
      await member.store.facts.remove(key, revision);
      return { kind: "token-revoked", name: value.name, id: value.id };
    },
  };
}

const list = async ({ store }: Member) => store.facts.list("token");

async function find({ store }: Member, name: string) {
  const problem = checkLabel("token", name);
  if (problem !== undefined) throw new PloyzError(problem);
  const found = await store.facts.get(tokenKey(name));
  if (found !== undefined) return found;
  throw new PloyzError({
    code: "token_unknown",
    message: `there is no token ${name}`,
    hint: "ployzctl token ls",
  });
}

async function create(member: Member, wanted: TokenCreate): Promise<TokenCreated> {
  const { name, namespaces, branchFrom = [], promoteTo = [], allow, ttlMs, by } = wanted;
  const now = Date.now();
  const { cluster } = member.membership();
  const secret = randomBytes(32).toString("base64url");
  const record: TokenRecord = {
    ...{ id: randomBytes(8).toString("hex"), name, secretHash: hashOf(secret) },
    ...{ namespaces, branchFrom, promoteTo, allow, by: printable(by) },
    ...{ createdAt: now, expiresAt: now + ttlMs },
  };
  const { facts } = member.store;
  for (const old of await list(member))
    if (old.value.expiresAt + KEPT_MS < now || (old.value.name === name && old.value.expiresAt <= now))
      await facts.remove(old.key, old.revision);
  // Open the port before handing out the token: an operator here can free a port in use.
  await member.inviter.serveUntil(record.expiresAt);
  const written = await facts.put(tokenKey(name), record, 0);
  if (!written.ok) {
    await member.inviter.serveUntil(0); // for the others
    throw new PloyzError({
      code: "token_exists",
      message: `there is a token ${name} already`,
      hint: `choose another name, or revoke it first: ployzctl token rm ${name}`,
    });
  }
  const machines = await reachable(member);
  const token = encodeToken({
    ...{ cluster: cluster.id, name, id: record.id, secret, expiresAt: record.expiresAt },
    machines: machines.map(({ pin, endpoints }) => ({ pin, endpoints })),
  });
  return {
    ...{ kind: "token-created", token, record: rowOf(record) },
    machines: machines.map(({ machine }) => machine),
  };
}

/** The machines that take the token, this one first, then those with the store. */
async function reachable(member: Member) {
  const { machine: self, machines } = member.membership();
  const wanted = machines.filter(isMember);
  await member.tokens.whenOpen(
    wanted.map(({ id }) => id),
    OPEN_MS,
  );
  const order = (id: string, store: boolean) => (id === self.id ? 0 : store ? 1 : 2);
  return wanted
    .sort((a, b) => order(a.id, a.store) - order(b.id, b.store))
    .flatMap(({ id }) => {
      const port = member.tokens.ports().get(id);
      return port === undefined ? [] : [{ machine: id, ...port }];
    })
    .slice(0, MOST_MACHINES);
}

function rowOf(record: TokenRecord): TokenRow {
  const { name, id, namespaces, branchFrom, promoteTo, allow, by, createdAt, expiresAt } = record;
  return {
    ...{ name, id, state: Date.now() < expiresAt ? "valid" : "expired" },
    ...{ namespaces, branchFrom, promoteTo, allow, by },
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
  };
}
