import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { type DaemonStatus, dataPlane, HOST, type Status } from "../../src/survive.ts";

/** Two machines get the version of the third under requests through their own gateways: one that does not start there, then a good one. */
let cluster: Cluster;
let first: string;

interface Updated {
  readonly machines: readonly {
    readonly machine: string;
    readonly state: string;
    readonly changed?: boolean;
    readonly errors: readonly { readonly code: string; readonly message: string }[];
  }[];
}

interface Members {
  readonly machines: readonly { readonly record: { readonly id: string; readonly version: string } }[];
}

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, atOnce: true });
  const file = await cluster.put(1, webManifest({ replicas: 3 }), webBundle);
  await cluster.ctl(1, ["deploy", "-f", file]);
  first = await runningBuild(1);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const REPACK = `set -e
d=$(mktemp -d)
tar -xzf "/usr/local/lib/ployz/$2/payload.tar.gz" -C "$d"
cd "$d/ployz"
cat >> lib/ployzd.mjs
find . -type f ! -name SHA256SUMS ! -name version.json | sort | xargs sha256sum > SHA256SUMS
build=$(sha256sum SHA256SUMS | cut -d' ' -f1)
sed -i "s/\\"version\\": \\"[^\\"]*\\"/\\"version\\": \\"$1\\"/; s/\\"build\\": \\"[^\\"]*\\"/\\"build\\": \\"$build\\"/" version.json
./install.sh >&2
rm -rf "$d"
echo "$build"`;

/** Installs on m1 a release that differs from the first one in its version and an addition to the daemon; resolves with its build. */
async function release(version: string, code: string): Promise<string> {
  const { stdout } = await cluster.lab.sh(1, ["sh", "-c", REPACK, "sh", version, first.slice(0, 12)], {
    input: `\n// ${version}\n${code}`,
    timeoutMs: 60_000,
  });
  await cluster.ctl(1, ["daemon", "install"]);
  return stdout.trim();
}

/** Two that updates long ago have left: one that nothing uses, and one that a program runs from. */
const OLDER_BUILDS = `set -e
cd /usr/local/lib/ployz
mkdir -p aaaaaaaaaaaa/lib bbbbbbbbbbbb/lib
cp /bin/sleep bbbbbbbbbbbb/lib/nats-server
setsid bbbbbbbbbbbb/lib/nats-server 600 </dev/null >/dev/null 2>&1 &`;

const runningBuild = async (i: number): Promise<string> =>
  (await cluster.json<{ daemon: { build: string } }>(i, ["version"])).daemon.build;

const load = (i: number, until: AbortSignal) =>
  cluster.lab.load(`http://${cluster.lab.addresses[i - 1]}/`, {
    ...{ host: HOST, rate: 40, seconds: 120, timeoutMs: 20_000, until },
  });

/** What must not change: all that runs but the daemon and the two processes that follow commits. */
async function untouched(i: number): Promise<unknown> {
  const { services, peers, ...rest } = (await dataPlane(cluster, i)) as Pick<DaemonStatus, "services"> & {
    readonly peers: string;
  };
  const replaced = ["ployz-gateway", "ployz-dns"];
  // wireguard-go lists its peers in any order.
  return {
    ...rest,
    peers: peers.split("\n").sort(),
    services: services.filter(({ name }) => !replaced.includes(name)),
  };
}

const everywhere = <T>(look: (i: number) => Promise<T>) => Promise.all([1, 2, 3].map(look));

/** Runs a command while requests go through the gateways of m2 and m3, none of which may fail. */
async function underLoad<T>(work: () => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const clients = [2, 3].map((i) => load(i, stop.signal));
  try {
    return await work();
  } finally {
    stop.abort();
    for (const { sent, ok, failures, longestGapMs } of await Promise.all(clients)) {
      console.log(`${ok} of ${sent} answered, longest gap ${longestGapMs} ms`);
      expect({ failures, ok }).toEqual({ failures: [], ok: sent });
    }
  }
}

const BROKEN =
  'if (process.argv[2] === "run" && (await import("node:os")).hostname() !== "m1") process.exit(1);\n';

it("a version that does not start there: exit code 1, the old one runs as before, and the rest is not tried", async () => {
  const broken = await release("1.1.0", BROKEN);
  const before = await everywhere(untouched);
  const { warnings } = await cluster.json<Status>(3, ["status"]);
  expect(warnings).toContainEqual({
    ...{ code: "versions_differ", about: "" },
    message: expect.stringContaining("versions differ"),
    hint: expect.stringContaining("ployzctl machine update"),
  });
  const planned = await cluster.json<Updated>(1, ["machine", "update", "m2", "m3", "-n"]);
  expect(planned.machines.map(({ state }) => state)).toEqual(["planned", "planned"]);

  const { machines } = await underLoad(() => cluster.json<Updated>(1, ["machine", "update"], { ok: [1] }));
  expect(machines.map(({ machine, state, errors }) => [machine, state, errors[0]?.code])).toEqual([
    ["m1", "done", undefined],
    ["m2", "failed", "update_reverted"],
    ["m3", "not-tried", undefined],
  ]);
  console.log(machines[1]?.errors[0]?.message);
  expect(await everywhere(runningBuild)).toEqual([broken, first, first]);
  expect(await everywhere(untouched)).toEqual(before);
  const lying = await cluster.lab.sh(2, ["ls", "/usr/local/lib/ployz"]);
  expect(lying.stdout).not.toContain(broken.slice(0, 12));
});

it("with a good one the same command continues: no request fails, and only daemons and followers are replaced", async () => {
  const good = await release("1.2.0", "");
  await cluster.lab.sh(2, ["sh", "-c", OLDER_BUILDS]);
  const before = await everywhere(untouched);
  const { stdout } = await underLoad(() => cluster.ctl(1, ["machine", "update"]));
  console.log(stdout);
  expect(await everywhere(runningBuild)).toEqual([good, good, good]);
  expect(await everywhere(untouched)).toEqual(before);
  const { machines } = await cluster.json<Members>(2, ["machine", "ls"]);
  expect(machines.map(({ record }) => record.version)).toEqual(["1.2.0", "1.2.0", "1.2.0"]);
  for (const i of [2, 3]) {
    const { adoption, services } = await cluster.json<DaemonStatus>(i, ["daemon", "status"]);
    expect(adoption).toMatchObject({ recreated: [], removed: [], failed: [] });
    expect(services.map(({ name }) => name)).not.toContain("ployz-update");
  }
  const kept = (await cluster.lab.sh(2, ["ls", "/usr/local/lib/ployz"])).stdout.trim().split("\n");
  expect(kept.sort()).toEqual(["bbbbbbbbbbbb", "current", first.slice(0, 12), good.slice(0, 12)].sort());
  const again = await cluster.json<Updated>(1, ["machine", "update"]);
  expect(again.machines.map(({ changed }) => changed)).toEqual([false, false, false]);
});
