import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle } from "../../src/cluster.ts";
import { within } from "../../src/survive.ts";

/** A counter with a volume on one of three machines; m1 alone holds the store. */
let cluster: Cluster;
const ANY = Array.from({ length: 256 }, (_, code) => code);
const sh = (i: number, script: string, timeoutMs = 120_000) =>
  cluster.lab.sh(i, ["sh", "-c", script], { okExitCodes: ANY, timeoutMs });
const COUNT = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done";
const deploy = async (version: number) => {
  const manifest = `namespace = "prod"
[services.count]
bundle = "./web"
command = ["sh", "-c", ${JSON.stringify(COUNT)}]
env = { VERSION = "${version}" }
stop_grace = "1s"
volumes = { data = "/data" }
[volumes.data]
quota = "100M"
`;
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest, webBundle)]);
};
interface Listed {
  readonly instances: readonly { readonly id: string; readonly machine: string; readonly state: string }[];
}
const present = async () => {
  const [one] = (await cluster.json<Listed>(1, ["ps", "prod/count"])).instances;
  return one ?? { id: "", machine: "m0", state: "" };
};
const place = async () => Number((await present()).machine.slice(1));

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, volumes: true });
  await deploy(0);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

interface Line {
  readonly type: string;
  readonly instance: string;
  readonly line: string;
}
const linesOf = (text: string): ReadonlyMap<string, readonly number[]> => {
  const found = new Map<string, number[]>();
  for (const row of text.split("\n").filter((one) => one !== "")) {
    const { type, instance, line } = JSON.parse(row) as Line;
    const [, number] = /^line (\d+)$/.exec(line ?? "") ?? [];
    if (type !== "line" || number === undefined) continue;
    found.set(instance, [...(found.get(instance) ?? []), Number(number)]);
  }
  return found;
};

it("logs -f has every line once and in order, over ten deploys, a migration and a reboot", async () => {
  await sh(1, "ployzctl logs -f prod/count --json >/root/followed 2>/root/notes & echo $! >/root/follower");
  const followed = async () => linesOf((await sh(1, "cat /root/followed")).stdout);
  const follows = async () => {
    const { id } = await present();
    const before = (await followed()).get(id)?.length ?? 0;
    await within(`lines of ${id}`, 90_000, async () =>
      ((await followed()).get(id)?.length ?? 0) > before + 20 ? true : undefined,
    );
    return id;
  };
  const ids = new Set([await follows()]);
  for (let version = 1; version <= 10; version++) {
    await deploy(version);
    ids.add(await follows());
  }
  const target = (await place()) === 3 ? 2 : 3;
  await cluster.ctl(1, ["migrate", "apply", "prod/count", "--to", `m${target}`], { timeoutMs: 300_000 });
  ids.add(await follows());
  await cluster.lab.cut(target);
  await cluster.lab.on(target);
  const last = await follows();
  ids.add(last);
  await sh(1, "kill -INT $(cat /root/follower)");
  expect(ids.size).toBeGreaterThanOrEqual(12);
  const all = await followed();
  for (const id of ids) {
    const numbers = all.get(id) ?? [];
    // It counts from 1 after each of its starts.
    const odd = numbers.filter((one, index) => one !== 1 && one !== (numbers[index - 1] ?? 0) + 1);
    const starts = numbers.filter((one) => one === 1).length;
    expect({ id, odd, starts }).toEqual({ id, odd: [], starts: starts === 2 ? 2 : 1 });
  }
});

it("1 GiB goes through cat and back unchanged, and no daemon grows", async () => {
  const target = (await place()) === 1 ? 2 : await place();
  const source = target === 2 ? 3 : 2;
  await sh(source, "head -c 1073741824 /dev/urandom >/root/big");
  const timed = async (command: string) => {
    const began = performance.now();
    const { stdout } = await sh(source, `${command} </root/big | sha256sum`, 900_000);
    return { sum: stdout.slice(0, 64), ms: Math.round(performance.now() - began) };
  };
  const { id } = await present();
  const { sum } = { sum: (await sh(source, "sha256sum </root/big")).stdout.slice(0, 64) };
  const through = await timed("ployzctl exec -i prod/count -- cat");
  const peaks = [];
  for (const i of [source, target]) {
    const { stdout } = await sh(
      i,
      "for p in $(pgrep -f '[p]loyzd.* run'); do grep VmHWM /proc/$p/status; done",
    );
    peaks.push(Number(stdout.match(/\d+/)?.[0] ?? 0));
  }
  console.log(`1 GiB to ${id} and back: exec ${through.ms} ms; peaks ${peaks.join(", ")} kB`);
  expect(through.sum).toBe(sum);
  for (const peak of peaks) expect(peak).toBeLessThan(400_000);
});
