import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle } from "../../src/cluster.ts";
import { daemonUp, within } from "../../src/survive.ts";

/** A machine that boots again runs its committed instances: by itself, also when something comes late. */
let cluster: Cluster;

type Ps = { readonly instances: readonly { readonly id: string; readonly state: string }[] };
type Told = { readonly warnings: readonly { readonly message: string; readonly hint: string }[] };

const manifest = (grace: string) => `namespace = "prod"

[services.web]
bundle     = "./web"
command    = ["/bin/sh", "-c", "while :; do sleep 1; done"]
stop_grace = "${grace}"
drain      = "${grace}"

[services.db]
bundle  = "./web"
command = ["/bin/sh", "-c", "while :; do date >>/data/log; sleep 1; done"]
volumes = { data = "/data" }

[volumes.data]
`;
const deploy = async (text: string) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, text, webBundle)]);
const ps = async () => (await cluster.json<Ps>(1, ["ps"])).instances;
const running = (what: string, ms: number) =>
  within(what, ms, async () => {
    const rows = await ps();
    return rows.length === 2 && rows.every(({ state }) => state === "running")
      ? rows
      : Promise.reject(new Error(JSON.stringify(rows)));
  });
const reboot = async () => {
  await cluster.lab.cut(1);
  await cluster.lab.on(1);
};

beforeAll(async () => {
  cluster = await openCluster({ machines: 1, volumes: true });
  await deploy(manifest("3s"));
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("a changed stop_grace restarts nothing, and does not keep an instance from coming back after a power cut", async () => {
  const before = await ps();
  await deploy(manifest("4s"));
  expect((await ps()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
  await reboot();
  const { adoption } = await daemonUp(cluster, 1);
  expect(adoption.failed).toEqual([]);
  const after = await running("all committed instances run again", 60_000);
  expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
});

it("a pool that is imported late: status names the instance, which runs within a minute of the import", async () => {
  await cluster.lab.sh(1, ["zpool", "set", "cachefile=none", "tank"]);
  await reboot();
  await daemonUp(cluster, 1);
  const { warnings } = await cluster.json<Told>(1, ["status"]);
  expect(warnings.map(({ message }) => message).join("\n")).toMatch(
    /m1: instance prod\.db\.\S+ does not start: /,
  );
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  await cluster.lab.sh(1, ["zpool", "import", "-d", "/var/lib", "tank"]);
  await running("the instance with the volume runs", 60_000);
  expect(
    (await cluster.json<Told>(1, ["status"])).warnings.filter(({ message }) => message.includes("instance ")),
  ).toEqual([]);
});
