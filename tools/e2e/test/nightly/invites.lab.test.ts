import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";

/** m1 founds, m2 and m3 join by token, and m4 is the stranger that no token lets in. */
const MACHINES = [1, 2, 3, 4] as const;
const STRANGER = 4;
let cluster: Cluster;
/** Every token that was made. */
const tokens: string[] = [];

type Created = { readonly token: string; readonly invite: { readonly id: string } };
type Row = { readonly id: string; readonly state: string; readonly machine?: string };

const on = async (machine: number, script: string) =>
  (await cluster.lab.sh(machine, ["sh", "-c", script])).stdout;
const fields = (token: string): unknown[] =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
const withFields = (token: string, change: Readonly<Record<number, unknown>>): string => {
  const changed = fields(token).map((field, index) => change[index] ?? field);
  return `${token.split(".")[0]}.${Buffer.from(JSON.stringify(changed)).toString("base64url")}`;
};

async function invite(machine: number, args: readonly string[] = []): Promise<Created> {
  const created = await cluster.json<Created>(machine, ["machine", "invite", "create", ...args]);
  tokens.push(created.token);
  return created;
}

const join = (machine: number, token: string, ok: readonly number[] = [0]) =>
  cluster.json<{ readonly error?: { readonly code: string; readonly message: string } }>(
    machine,
    ["mesh", "join", "--token-stdin"],
    { input: `${token}\n`, ok },
  );

/** The refusal names the reason, and the machine is unchanged. */
async function refused(machine: number, token: string, code: string): Promise<void> {
  expect((await join(machine, token, [3])).error, code).toMatchObject({ code });
  if (machine === STRANGER)
    expect(await on(machine, "cat /var/lib/ployz/membership.json 2>&1 || true")).toContain("No such file");
}

const invites = async (): Promise<readonly Row[]> =>
  (await cluster.json<{ invites: readonly Row[] }>(1, ["machine", "invite", "list"])).invites;

/** Every command line that is seen on a machine, ten times a second. */
const WATCH =
  "(while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; echo; sleep 0.1; done >> /root/argv.log) >/dev/null 2>&1 &";

beforeAll(async () => {
  // Ployz is installed on each, as on machines without SSH access.
  cluster = await openCluster({ machines: 4, members: 0, installed: 4 });
  await Promise.all(
    MACHINES.map(async (machine) => {
      await on(machine, WATCH);
      await cluster.ctl(machine, ["daemon", "install", "--runtime", "host"]);
    }),
  );
  await cluster.ctl(1, ["mesh", "init", "prod-cluster"]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

describe("an invite", () => {
  it("of another cluster is refused, by a member and by the inviter", async () => {
    await cluster.ctl(STRANGER, ["mesh", "init", "other"]);
    const other = await invite(STRANGER);
    await refused(1, other.token, "invite_wrong_cluster");
    await cluster.ctl(STRANGER, ["mesh", "destroy", "--yes"]);
    const own = await invite(1);
    await refused(STRANGER, withFields(own.token, { 0: fields(other.token)[0] }), "invite_wrong_cluster");
    // The right address and the wrong key: nothing is sent there.
    await refused(STRANGER, withFields(own.token, { 4: fields(other.token)[4] }), "invite_wrong_key");
    await refused(STRANGER, withFields(own.token, { 6: fields(other.token)[6] }), "invite_unknown");
    await cluster.ctl(1, ["machine", "invite", "revoke", own.invite.id]);
  });

  it("that was revoked or has expired is refused", async () => {
    const [revoked, late] = [await invite(1), await invite(1, ["--ttl", "1s"])];
    await cluster.ctl(1, ["machine", "invite", "revoke", revoked.invite.id]);
    await refused(STRANGER, revoked.token, "invite_revoked");
    const until = performance.now() + 30_000;
    while ((await invites()).find(({ id }) => id === late.invite.id)?.state !== "expired")
      expect(performance.now()).toBeLessThan(until);
    await refused(STRANGER, late.token, "invite_expired");
  });

  it("lets one machine in: two at once, with a token each", async () => {
    const [two, three] = [await invite(1), await invite(1, ["--name", "edge", "--region", "eu"])];
    await Promise.all([join(2, two.token), join(3, three.token)]);
    const { machines } = await cluster.json<{
      machines: readonly {
        readonly reachable: boolean;
        readonly record: {
          readonly id: string;
          readonly state: string;
          readonly subnet: string;
          readonly region?: string;
        };
      }[];
    }>(2, ["machine", "ls"]);
    expect(machines.map(({ record, reachable }) => [record.id, record.state, reachable]).sort()).toEqual([
      ["edge", "active", true],
      ["m1", "active", true],
      ["m2", "active", true],
    ]);
    expect(new Set(machines.map(({ record }) => record.subnet)).size).toBe(3);
    expect(machines.find(({ record }) => record.id === "edge")?.record.region).toBe("eu");
    const { rows } = await cluster.json<{ rows: readonly { readonly rttMs: number | null }[] }>(3, [
      "machine",
      "rtt",
    ]);
    expect(rows.filter(({ rttMs }) => rttMs !== null)).toHaveLength(6);
    expect(
      (await invites()).flatMap(({ state, machine }) => (state === "used" ? [machine] : [])).sort(),
    ).toEqual(["edge", "m2"]);
    // The same again where it was used: done already. Anywhere else: used.
    await join(2, two.token);
    await refused(STRANGER, two.token, "invite_used");
    await cluster.ctl(1, ["machine", "invite", "revoke", two.invite.id], { ok: [3] });
  });

  it("opens the join port on the machine that made it, and on no other", async () => {
    const listening = (machine: number) => on(machine, "ss -Htln 'sport = :51821'");
    expect(await listening(1)).not.toBe("");
    for (const machine of [2, 3, 4]) expect(await listening(machine), `m${machine}`).toBe("");
    // The daemon is disposable: one that comes back opens it again.
    const { pid } = await cluster.json<{ pid: number }>(1, ["daemon", "status"]);
    await on(1, `kill -9 ${pid}`);
    const until = performance.now() + 30_000;
    while ((await listening(1)) === "") expect(performance.now()).toBeLessThan(until);
    await refused(STRANGER, tokens.at(-1) ?? "", "invite_used");
  });
});

it("a token is in no argument, log, record, file or answer but the one that made it", async () => {
  const { operations } = await cluster.json<{ operations: readonly { operation: string }[] }>(1, [
    "ops",
    "ls",
  ]);
  expect(operations.length).toBeGreaterThan(1);
  const questions = [
    ...operations.map(({ operation }) => ["ops", "show", operation]),
    ...[["machine", "invite", "list"], ["machine", "ls"], ["status"], ["doctor"], ["mesh", "status"]],
  ];
  const answers = await Promise.all(
    questions.map((args) => cluster.ctl(1, [...args, "--json"], { ok: [0, 3] })),
  );
  const needles = tokens.flatMap((token) => [token, String(fields(token)[6])]);
  for (const needle of needles)
    for (const { stdout, stderr } of answers) expect(`${stdout}${stderr}`.includes(needle)).toBe(false);
  for (const machine of MACHINES) {
    await cluster.lab.sh(machine, ["sh", "-c", "umask 077; cat > /dev/shm/needles"], {
      input: `${needles.join("\n")}\n`,
    });
    const places = "/var/lib/ployz /run/ployz /etc /usr/local /var/log /root /tmp";
    expect(
      await on(machine, `grep -rlaF -f /dev/shm/needles ${places} 2>/dev/null; rm /dev/shm/needles; true`),
    ).toBe("");
    expect(await on(machine, "cat /root/argv.log")).toContain("mesh");
  }
  expect(await on(1, "stat -c '%a %U' /var/lib/ployz/identity/join.key")).toBe("600 root\n");
});
