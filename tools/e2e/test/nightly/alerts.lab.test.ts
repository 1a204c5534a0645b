import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import type { AlertList, SecretList } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster } from "../../src/cluster.ts";

const KEY = "0123456789abcdef0123";
const MACHINES = [1, 2, 3] as const;
let cluster: Cluster;
const on = async (i: number, script: string, input?: string) =>
  (await cluster.lab.sh(i, ["sh", "-c", script], input === undefined ? {} : { input })).stdout;
const put = async (i: number, name: string) =>
  on(i, `cat > /root/${name}`, await readFile(join(fixtures, name), "utf8"));

beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  for (const i of MACHINES) {
    await put(i, "receiver.mjs");
    await on(i, `(${node} /root/receiver.mjs 9999 /root/alerts.log) >/dev/null 2>&1 &`);
  }
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

type Taken = { readonly path: string; readonly headers: Record<string, string>; readonly body: string };
/** What the receivers took: whichever machine sends, it sends to its own loopback. */
async function taken(machines: readonly number[] = MACHINES): Promise<readonly Taken[]> {
  const logs = await Promise.all(machines.map((i) => on(i, "cat /root/alerts.log 2>/dev/null || true")));
  return logs.flatMap((log) =>
    log
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Taken),
  );
}
type Message = { readonly begun: readonly Told[]; readonly ended: readonly Told[]; readonly test?: true };
type Told = { readonly code: string; readonly about: string };
const messages = async (machines?: readonly number[]) =>
  (await taken(machines)).map(({ body }) => JSON.parse(body) as Message).filter(({ test }) => test !== true);
const told = (all: readonly Message[], when: "begun" | "ended", code: string) =>
  all.flatMap((message) => message[when].filter((one) => one.code === code).map(({ about }) => about));
const within = (what: string, timeoutMs: number, read: () => Promise<true | undefined>) =>
  waitFor(what, read, { timeoutMs, intervalMs: 1_000 });
const list = () => cluster.json<AlertList>(1, ["alert", "ls"]);

it("takes a URL whose path no command prints again, and tests it with its signature", async () => {
  await on(1, `printf %s ${KEY} > /root/key`);
  const add = ["alert", "add", "ops", "--to", "http://127.0.0.1:9999/hidden-path", "--key-file", "/root/key"];
  expect(await cluster.json(1, add)).toMatchObject({ kind: "alert-set", changed: true });
  expect(await cluster.json(1, add)).toMatchObject({ changed: false });
  await cluster.ctl(1, ["alert", "test", "ops"]);
  const [first] = await taken([1]);
  expect(first?.path).toBe("/hidden-path");
  const hmac = createHmac("sha256", KEY).update(first?.body ?? "");
  expect(first?.headers["ployz-signature"]).toBe(`sha256=${hmac.digest("hex")}`);
  const { stdout } = await cluster.ctl(1, ["alert", "ls"]);
  expect(stdout).toContain("http://127.0.0.1:9999");
  expect(stdout).not.toContain("hidden-path");
  for (const wrong of ["ftp://x/y", "http://u:p@x/y", "x"])
    await cluster.ctl(1, ["alert", "add", "ops", "--to", wrong], { ok: [2] });
});

it("stores no answer to a member as a secret", async () => {
  const state = async () =>
    (await cluster.json<SecretList>(1, ["secret", "ls"])).secrets.find(({ name }) => name === "kept")?.state;
  await cluster.ctl(1, ["secret", "set", "prod/kept"], { input: "a value\n" });
  await put(2, "nats-raw.mjs");
  const seed = "/var/lib/ployz/identity/nats.seed";
  const attack = "PUB $JS.API.STREAM.INFO.KV_ployz_facts $KV.ployz_secrets.prod.kept 0\\r\\n";
  await cluster.lab.sh(2, [node, "/root/nats-raw.mjs", "10.101.1.1", "4222", seed, attack]);
  expect(await state()).toBe("set");
  await cluster.ctl(1, ["secret", "set", "prod/kept"], { input: "another value\n" });
  expect(await state()).toBe("set");
});

it("tells once that a machine is away and once that it is back, and a receiver that fails gets it later", async () => {
  for (const i of MACHINES) await on(i, "curl -sS http://127.0.0.1:9999/fail");
  await cluster.lab.cut(3);
  await within("the failed delivery to show", 120_000, async () => {
    const { alerts } = await list();
    return alerts[0]?.state === "failing" && alerts[0].waiting > 0 ? true : undefined;
  });
  expect((await list()).alerts[0]?.delivery?.error).toContain("503");
  for (const i of [1, 2]) await on(i, "curl -sS http://127.0.0.1:9999/work");
  const begun = async () => told(await messages([1, 2]), "begun", "machine_unreachable");
  await within("the begin", 180_000, async () => ((await begun()).length > 0 ? true : undefined));
  await cluster.lab.on(3);
  const ended = async () => told(await messages([1, 2]), "ended", "machine_unreachable");
  await within("the end", 240_000, async () => ((await ended()).length > 0 ? true : undefined));
  const before = (await messages([1, 2])).length;
  // Another look or two.
  await within("an alert that waits for nothing", 60_000, async () =>
    (await list()).alerts[0]?.waiting === 0 ? true : undefined,
  );
  expect(await begun()).toEqual(["m3"]);
  expect(await ended()).toEqual(["m3"]);
  expect((await messages([1, 2])).length).toBe(before);
  expect(await list()).toMatchObject({ alerts: [{ state: "ok", waiting: 0 }] });
});

it("is sent by another machine when the sender dies", async () => {
  await on(3, `(${node} /root/receiver.mjs 9999 /root/alerts.log) >/dev/null 2>&1 &`);
  const { sender = "" } = await list();
  const alive = MACHINES.filter((i) => `m${i}` !== sender);
  // The founder has the store: without it no machine sends.
  if (sender === "m1") await cluster.ctl(1, ["daemon", "stop"]);
  else await cluster.lab.cut(Number(sender.slice(1)));
  await within("another sender's message", 240_000, async () =>
    told(await messages(alive), "begun", "machine_unreachable").includes(sender) ? true : undefined,
  );
  const again = told(await messages(alive), "begun", "machine_unreachable").filter((id) => id === sender);
  expect(again).toEqual(sender === "m3" ? ["m3", "m3"] : [sender]);
  const there = alive[0] ?? 1;
  expect(await cluster.json(there, ["alert", "rm", "ops"])).toMatchObject({ changed: true });
  expect(await cluster.json(there, ["alert", "rm", "ops"])).toMatchObject({ changed: false });
});
