import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { answers, HOST, type Instances, type Status, storeConnected, within } from "../../src/survive.ts";

/** Machines that run but cannot be heard: a partition, and a store machine that stands still. */
let cluster: Cluster;
const ps = (i: number) => cluster.json<Instances>(i, ["ps"]);

beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, webManifest(), webBundle)]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("m2 is cut off: other gateways stop sending to it, a deploy that needs it is refused, and healing is enough", async () => {
  const { lab } = cluster;
  const before = await ps(1);
  const load = lab.load(`http://${lab.addresses[0]}/`, {
    host: HOST,
    rate: 20,
    seconds: 60,
    timeoutMs: 15_000,
    until: AbortSignal.timeout(12_000),
  });
  await lab.partition(1, 2);
  await lab.partition(2, 3);
  const theirs = before.instances.find(({ machine }) => machine === "m2")?.address ?? "";
  await within("m1's gateway sends nothing to m2 any more", 10_000, async () =>
    (await answers(cluster, 1, 9)).addresses.includes(theirs) ? undefined : (true as const),
  );
  const { sent, ok, failures, longestGapMs } = await load;
  console.log(`while m2 was cut off: ${ok} of ${sent} answered, longest gap ${longestGapMs} ms`);
  expect({ failures, ok }).toEqual({ failures: [], ok: sent });

  const pinned = webManifest({ version: "v2", extra: 'constraints = { machines = ["m2"] }' });
  const asked = performance.now();
  const refused = await cluster.json<{ error: { code: string; message: string } }>(
    1,
    ["deploy", "-f", await cluster.put(1, pinned, webBundle)],
    { ok: [3] },
  );
  expect(refused.error.message).toMatch(/m2/);
  expect(performance.now() - asked).toBeLessThan(15_000);
  // On the other side of the cut nothing can be changed, and its instances are served there.
  const other = await cluster.json<{ error: { code: string } }>(
    2,
    ["deploy", "-f", await cluster.put(2, pinned, webBundle)],
    { ok: [4] },
  );
  expect(other.error.code).toBe("store_unavailable");
  expect((await answers(cluster, 2)).addresses).toContain(theirs);
  expect(
    (await cluster.json<Status>(1, ["status"])).warnings.map(({ message }) => message).join("\n"),
  ).toMatch(/m2 does not answer/);

  await lab.heal();
  await storeConnected(cluster, 2);
  await within("m1's gateway sends to m2 again", 10_000, async () =>
    (await answers(cluster, 1, 9)).addresses.includes(theirs) ? (true as const) : undefined,
  );
  expect((await ps(1)).instances.map(({ id }) => id)).toEqual(before.instances.map(({ id }) => id));
});

it("the store's machine stands still during a deploy: no false success, and afterwards the same command finishes", async () => {
  const { lab } = cluster;
  const pauseMs = Number(process.env.PLOYZ_E2E_PAUSE_MS ?? 12_000);
  const file = await cluster.put(2, webManifest({ version: "v3", env: { START_MS: "2000" } }), webBundle);
  const deploying = cluster.ctl(2, ["deploy", "-f", file, "--json"], {
    ok: [0, 1, 3, 4, 5],
    timeoutMs: 110_000,
  });
  await within("candidates run", 20_000, async () =>
    (await ps(3)).instances.some(({ committed }) => !committed) ? (true as const) : undefined,
  );
  await lab.pause(1);
  const resumed = new Promise<void>((resolve, reject) =>
    setTimeout(() => void lab.resume(1).then(resolve, reject), pauseMs),
  );
  // m2 keeps serving its last state.
  const [{ exitCode, stdout }] = await Promise.all([deploying, resumed]);
  console.log(`the deploy over a pause of ${pauseMs} ms ended with ${exitCode}: ${stdout.slice(0, 300)}`);
  await Promise.all([1, 2, 3].map((i) => storeConnected(cluster, i)));
  const said = exitCode === 0 || exitCode === 5 ? "v3" : "v1";
  await within(`every gateway serves ${said}, as the deploy reported`, 15_000, async () => {
    const seen = await Promise.all([1, 2, 3].map((i) => answers(cluster, i)));
    return seen.every(({ versions }) => versions.join() === said) ? (true as const) : undefined;
  });
  await cluster.ctl(3, [
    "deploy",
    "-f",
    await cluster.put(3, webManifest({ version: "v3", env: { START_MS: "2000" } }), webBundle),
  ]);
  expect((await ps(1)).instances.map(({ committed, state }) => [committed, state])).toEqual([
    [true, "running"],
    [true, "running"],
    [true, "running"],
  ]);
  for (const i of [1, 2, 3]) expect((await answers(cluster, i)).versions).toEqual(["v3"]);
});
