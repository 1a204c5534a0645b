import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { HOST, type Instances, within } from "../../src/survive.ts";
import { gatewayTraffic, nothingLost } from "../../src/traffic.ts";

/** One cluster through it all: each test begins where the one before it ended. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
  await deploy("v1");
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const TCP = 7000;
const manifest = (version: string) =>
  webManifest({ version, replicas: 3 }).replace(
    'port = "http" }]',
    `port = "http" }, { tcp = ${TCP}, port = "http" }]`,
  );
const deploy = async (version: string, more: readonly string[] = [], ok: readonly number[] = [0]) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest(version), webBundle), ...more, "--json"], {
    ok,
  });

const REQUESTS = 2_000;
/** How many of 2,000 requests at a machine's gateway the new version answers. */
async function answeredByNew(i: number, port = 80): Promise<number> {
  const url = `http://${cluster.lab.addresses[i - 1]}:${port}/?n=[1-${REQUESTS}]`;
  // Over TCP the connections are shared.
  const one = port === TCP ? ["-H", "Connection: close"] : [];
  const { stdout } = await cluster.lab.sh(i, ["curl", "-s", "-H", `Host: ${HOST}`, ...one, url], {
    timeoutMs: 120_000,
  });
  const [old, fresh] = ["v1", "v2"].map((version) => stdout.split(`"version":"${version}"`).length - 1);
  expect((old ?? 0) + (fresh ?? 0)).toBe(REQUESTS);
  return fresh ?? 0;
}

/** Ten percent, with more than three standard deviations of a fair draw. */
async function aTenth(i: number, port?: number): Promise<void> {
  const fresh = await answeredByNew(i, port);
  expect(Math.abs(fresh - REQUESTS / 10)).toBeLessThanOrEqual(45);
}

it("gives a tenth of the requests to the new version at every machine, by one command, shown and kept over a power cut", async () => {
  const preview = await deploy("v2", ["--canary", "10%", "-n"]);
  expect(preview.stdout).toContain("web-canary");
  expect(await answeredByNew(1)).toBe(0);
  await deploy("v2", ["--canary", "10%"]);
  for (const i of [1, 2]) for (const port of [80, TCP]) await aTenth(i, port);
  expect((await deploy("v2", ["--canary", "10%"])).stdout).toContain('"changed":false');
  expect((await deploy("v3", [], [3])).stdout).toContain("canary_running");
  expect((await deploy("v2", ["--canary", "110%"], [2])).stdout).toContain("from 1% to 99%");
  expect((await cluster.ctl(2, ["route", "ls"])).stdout).toContain("web:http, 10% web-canary");
  expect((await cluster.ctl(2, ["ps"])).stdout).toContain("web-canary");
  expect((await cluster.ctl(2, ["history", "prod"])).stdout).toContain("+web-canary");

  const { instances } = await cluster.json<Instances>(1, ["ps"]);
  const at = Number(instances.find(({ id }) => id.includes(".web-canary."))?.machine.slice(1));
  await cluster.lab.cut(at);
  await cluster.lab.on(at);
  await within("both versions serve again", 120_000, async () => {
    await aTenth(at);
    return true;
  });
});

it("is undone, begun again and finished under load, without a lost request", async () => {
  await using traffic = gatewayTraffic(cluster.lab, HOST);
  await cluster.ctl(1, ["canary", "undo", "prod/web"]);
  expect(await answeredByNew(1)).toBe(0);
  expect(JSON.stringify(await cluster.json(1, ["canary", "undo", "prod/web"]))).toContain("has no canary");
  await deploy("v2", ["--canary", "10%"]);
  await aTenth(2);
  await cluster.ctl(2, ["canary", "finish", "prod/web"]);
  expect(await answeredByNew(1)).toBe(REQUESTS);
  expect(await answeredByNew(2, TCP)).toBe(REQUESTS);
  await nothingLost("a canary, undone and finished", traffic);
  const { instances } = await cluster.json<Instances>(1, ["ps"]);
  expect(instances).toHaveLength(3);
  expect((await cluster.ctl(2, ["history", "prod"])).stdout).toContain("canary-finish");
});
