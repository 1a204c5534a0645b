import { signalProcess } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { imageDamage } from "../../src/image-content.ts";
import { answers, daemonOf } from "../../src/kill.ts";
import { type LayerSource, makeLayout, saveLayout } from "../../src/layout.ts";
import { started } from "../../src/started.ts";

/** m1 has the images; every machine sends at most 16 Mbit/s, as if each had a link of its own. */
const MACHINES = 6;
const RATE = "16mbit";
const MIB = 2 ** 20;

let cluster: Cluster;
type Moved = { readonly output: { readonly transferredBytes: number } };

const all = Array.from({ length: MACHINES }, (_, index) => index + 1);
const sh = async (i: number, script: string) =>
  (await cluster.lab.sh(i, ["sh", "-c", script], { timeoutMs: 120_000 })).stdout.trim();
const noise = (mib: number): LayerSource => ({
  script: `head -c ${mib * MIB} /dev/urandom >noise`,
  compress: "none",
});

/** Pushes an image to m1; the bytes of its content and manifest. `below`: further layers that it begins with. */
async function pushed(name: string, layers: readonly LayerSource[]): Promise<{ readonly bytes: number }> {
  await using made = await makeLayout({ layers, program: { Entrypoint: ["/bin/sh"] } });
  await saveLayout(cluster.lab, 1, made, name, "/root/image.tar");
  await cluster.ctl(1, ["image", "push", "--archive", "/root/image.tar"]);
  return { bytes: made.manifest.length + made.blobs.reduce((sum, { size }) => sum + size, 0) };
}

/** Bytes that each machine has got from the overlay, and sent to it. */
const wire = () =>
  Promise.all(
    all.map(async (i) => {
      const [got = 0, sent = 0] = (
        await sh(i, "cd /sys/class/net/ployz-wg0/statistics && cat rx_bytes tx_bytes")
      )
        .split("\n")
        .map(Number);
      return { got, sent };
    }),
  );

beforeAll(async () => {
  cluster = await openCluster({ machines: MACHINES, atOnce: true });
  for (const i of all) await sh(i, `tc qdisc add dev eth0 root tbf rate ${RATE} burst 64kb latency 100ms`);
}, 900_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("a new version costs two targets its missing layers and its manifest, within a tenth", async () => {
  // Reproducible: both versions have the same layer.
  const large = { script: "yes ployz | head -c 8000000 >text; seq 500000 >numbers" };
  await pushed("shop/web:v1", [large, { script: "echo 1 >version" }]);
  await cluster.ctl(1, ["image", "distribute", "shop/web:v1", "--to", "m2,m3"]);
  await using second = await makeLayout({
    layers: [large, { script: `echo 2 >version; head -c ${4 * MIB} /dev/urandom >noise` }],
    program: { Entrypoint: ["/bin/sh"] },
  });
  await saveLayout(cluster.lab, 1, second, "shop/web:v2", "/root/image.tar");
  await cluster.ctl(1, ["image", "push", "--archive", "/root/image.tar"]);
  const stored = new Set((await sh(2, "ls /var/lib/ployz/images/blobs/sha256")).split("\n"));
  const missing = second.blobs.filter(({ digest }) => !stored.has(digest.slice(7)));
  expect(missing).toHaveLength(2); // its configuration and its last layer
  const needed = second.manifest.length + missing.reduce((sum, { size }) => sum + size, 0);
  const before = await wire();
  const { output } = await cluster.json<Moved>(1, ["image", "distribute", "shop/web:v2", "--to", "m2,m3"]);
  const after = await wire();
  expect(output.transferredBytes).toBeGreaterThan(1.8 * needed);
  expect(output.transferredBytes).toBeLessThan(2.2 * needed);
  const got = [1, 2].map((at) => (after[at]?.got ?? 0) - (before[at]?.got ?? 0));
  console.log(`needed ${needed}, on the wire to m2 and m3: ${got.join(", ")}`);
  // Headers of packets are a part of it; acknowledgements go the other way when a target is a source too.
  for (const bytes of got) expect(bytes).toBeLessThan(1.1 * needed + 100_000);
});

it.each([
  ["one layer", [24]],
  ["six layers", [4, 4, 4, 4, 4, 4]],
])(
  "five targets take less than twice as long as one, with %s, and no machine sends it much more than once",
  async (kind, sizes) => {
    const label = kind.replaceAll(" ", "-");
    const timed = async (name: string, to: string) => {
      const { bytes } = await pushed(name, sizes.map(noise));
      const before = await wire();
      const asked = performance.now();
      await cluster.ctl(1, ["image", "distribute", name, "--to", to], { timeoutMs: 300_000 });
      const ms = performance.now() - asked;
      const after = await wire();
      const sent = after.map((one, at) => (one.sent - (before[at]?.sent ?? 0)) / bytes);
      return { ms, sent };
    };
    const one = await timed(`shop/${label}:one`, "m2");
    const five = await timed(`shop/${label}:five`, "m2,m3,m4,m5,m6");
    const shown = five.sent.map((part) => part.toFixed(2)).join(", ");
    console.log(
      `${kind}: one ${Math.round(one.ms)} ms, five ${Math.round(five.ms)} ms; copies sent by m1 to m6: ${shown}`,
    );
    expect(five.ms).toBeLessThan(2 * one.ms);
    for (const part of five.sent) expect(part).toBeLessThan(2);
  },
);

it("a machine in the middle of the chain that dies is replaced, and gets the image when it is back", async () => {
  await pushed("shop/broken:v1", [24].map(noise));
  const daemon = await daemonOf(cluster, 3);
  const running = await started(cluster, 1, [
    "image",
    "distribute",
    "shop/broken:v1",
    "--to",
    "m2,m3,m4,m5,m6",
  ]);
  const part = "ls -l /var/lib/ployz/images/ingest | awk '$5 > 4000000' | grep -c . || true";
  await expect.poll(() => sh(4, part), { timeout: 60_000 }).not.toBe("0");
  await signalProcess(daemon, "SIGKILL");
  const { exitCode, stdout } = await running.done;
  expect(exitCode, stdout).toBe(0);
  await answers(cluster, 3);
  const { images } = await cluster.json<{
    images: readonly { names: readonly string[]; machines: readonly string[] }[];
  }>(2, ["image", "ls"]);
  expect(images.find(({ names }) => names.includes("shop/broken:v1"))?.machines).toEqual(
    all.map((i) => `m${i}`),
  );
  for (const i of all) expect(await imageDamage(cluster, i)).toEqual([]);
});
