import { signalProcess } from "@ployz/exec";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { imageContent, imageDamage } from "../../src/image-content.ts";
import { answers, daemonOf, isJournaled, killAt, lostOrDone } from "../../src/kill.ts";
import { makeLayout, pushLayout, saveLayout } from "../../src/layout.ts";
import { type ImageRegistry, openRegistry } from "../../src/registry.ts";
import { started } from "../../src/started.ts";

/** m1 has the image, m2 coordinates and is a target, m3 is a target. */
const MACHINES = [1, 2, 3] as const;
const [SOURCE, COORDINATOR, OTHER] = MACHINES;
const STRIDE = Number(process.env.PLOYZ_E2E_STRIDE ?? 1);

type Row = { readonly names: readonly string[]; readonly machines: readonly string[] };

describe.each([
  { runtime: "process", docker: false },
  { runtime: "Docker", docker: true },
])("images on the runtime $runtime", ({ docker }) => {
  let cluster: Cluster;
  let registry: ImageRegistry;
  let count = 0;
  let empty: readonly (readonly string[])[] | undefined;

  const sh = async (i: number, script: string) =>
    (await cluster.lab.sh(i, ["sh", "-c", script], { timeoutMs: 120_000 })).stdout.trim();
  const everywhere = <T>(look: (cluster: Cluster, i: number) => Promise<T>) =>
    Promise.all(MACHINES.map((i) => look(cluster, i)));
  const layout = () => {
    count += 1;
    const noise = `head -c 6000000 /dev/urandom >noise; for n in $(seq 300); do mkdir -p d$n; echo ${count} >d$n/f; done`;
    return makeLayout({
      layers: [{ script: noise }, { script: `echo ${count} >version` }],
      program: { Entrypoint: ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/"] },
    });
  };
  /** The image's name; m1 has it and nothing else does. */
  async function pushed(): Promise<string> {
    await using made = await layout();
    const name = `shop/web:v${count}`;
    await saveLayout(cluster.lab, SOURCE, made, name, "/root/image.tar");
    await cluster.ctl(SOURCE, ["image", "push", "--archive", "/root/image.tar"]);
    return name;
  }
  const holders = async (name: string) =>
    (await cluster.json<{ images: readonly Row[] }>(OTHER, ["image", "ls"])).images
      .filter(({ names }) => names.includes(name))
      .flatMap(({ machines }) => machines);
  const healed = async (label: string) => {
    for (const i of MACHINES) await answers(cluster, i);
    expect(await everywhere(imageDamage), label).toEqual([[], [], []]);
  };
  /** All images go, and with them everything that they brought. */
  const cleared = async (label: string) => {
    await cluster.ctl(OTHER, ["image", "prune", "--all", "--yes"]);
    expect(await everywhere(imageContent), label).toEqual(empty);
  };

  beforeEach(async () => {
    if (empty === undefined) return;
    for (const i of MACHINES) await answers(cluster, i);
    await cluster.ctl(OTHER, ["namespace", "rm", "shop", "--yes"], { ok: [0, 3] });
    await cluster.ctl(OTHER, ["image", "prune", "--all", "--yes"]);
    // Commits of a removed namespace keep their images within the retention.
    empty = await everywhere(imageContent);
  });

  /** One undisturbed run to count its journaled events, then one run for each event and machine, whose daemon dies there. */
  async function attack(
    what: string,
    prepare: () => Promise<{ readonly args: readonly string[]; check(label: string): Promise<void> }>,
  ): Promise<void> {
    const first = await prepare();
    const clean = await started(cluster, COORDINATOR, first.args);
    expect((await clean.done).exitCode).toBe(0);
    const { length } = clean.events.filter(isJournaled);
    expect(length).toBeGreaterThan(2);
    await first.check(`${what}, undisturbed`);
    await cleared(`${what}, undisturbed`);
    for (let k = 0; k < length; k += STRIDE)
      for (const machine of MACHINES) {
        const label = `${what}: m${machine}'s daemon killed at event ${k} of ${length}`;
        const { args, check } = await prepare();
        const daemon = await daemonOf(cluster, machine);
        const running = await started(cluster, COORDINATOR, args);
        // In the middle of what the event begins, and not only at its beginning.
        await killAt(running, daemon, { k, afterMs: [0, 40, 150][machine - 1] ?? 0 });
        await lostOrDone(running);
        await answers(cluster, machine);
        await cluster.ctl(OTHER, args);
        const { exitCode, stdout, stderr } = await running.done;
        // A participant's end is made up for by the operation, or it is refused when that machine was not seen yet; a coordinator's end, by the same command
        // elsewhere.
        const ends = machine === COORDINATOR ? [0, 5] : k === 0 ? [0, 3, 4] : [0];
        expect(ends, `${label}: ${stdout}${stderr}`).toContain(exitCode);
        await healed(label);
        await check(label);
        await cleared(label);
      }
  }

  beforeAll(async () => {
    cluster = await openCluster({ machines: 3, docker, volumes: !docker });
    registry = await openRegistry(cluster.lab, { port: 5000, tls: false });
    for (const i of MACHINES) {
      await sh(
        i,
        `printf '\\n[registries."${registry.host}"]\\ninsecure = true\\n' >>/etc/ployz/config.toml`,
      );
      await cluster.ctl(i, ["daemon", "install"]);
    }
    // The pool's parents of layers and roots are made with the first image.
    const name = await pushed();
    await cluster.ctl(COORDINATOR, ["image", "distribute", name, "--all"]);
    await cluster.ctl(OTHER, ["image", "prune", "--all", "--yes"]);
    empty = await everywhere(imageContent);
    expect(empty.flat().filter((line) => !line.startsWith("engine "))).toEqual([]);
  }, 900_000);
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  it("distribute: kill -9 of source, coordinator and target at every event", async () => {
    await attack("distribute", async () => {
      const name = await pushed();
      return {
        args: ["image", "distribute", name, "--to", "m2,m3"],
        async check(label) {
          expect([...(await holders(name))].sort(), label).toEqual(["m1", "m2", "m3"]);
        },
      };
    });
  });

  it("pull: kill -9 of the machine that pulls, of the coordinator and of a bystander at every event", async () => {
    await attack("pull", async () => {
      await using made = await layout();
      const name = `${registry.host}/shop/pulled:v${count}`;
      await pushLayout(cluster.lab, registry, made, `shop/pulled:v${count}`);
      return {
        args: ["image", "pull", name, "--to", "m1,m3"],
        async check(label) {
          expect([...(await holders(name))].sort(), label).toEqual(["m1", "m3"]);
        },
      };
    });
  });

  it("prune: kill -9 of a machine that removes and of the coordinator at every event, beside an image in use", async () => {
    const kept = await pushed();
    const manifest = `namespace = "shop"\n[services.web]\nimage = "${kept}"\nports = { http = 8080 }\nroutes = [{ host = "www.example.test", port = "http" }]\nready = { http = "/version", port = "http", timeout = "30s" }\nreplicas = 3\ndrain = "0s"\n`;
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest)]);
    empty = await everywhere(imageContent);
    await attack("prune", async () => {
      const name = await pushed();
      await cluster.ctl(1, ["image", "distribute", name, "--all"]);
      return {
        args: ["image", "prune", "--all", "--yes"],
        async check(label) {
          expect(await holders(name), label).toEqual([]);
          expect([...(await holders(kept))].sort(), label).toEqual(["m1", "m2", "m3"]);
          for (const i of MACHINES)
            expect((await cluster.get(i, "www.example.test", "/version")).status, label).toBe(200);
        },
      };
    });
    await cluster.ctl(1, ["namespace", "rm", "shop", "--yes"]);
  });

  it("push: kill -9 in the middle of it, then the same command", async () => {
    for (const afterMs of [0, 30, 80, 150, 250, 400]) {
      const label = `push, killed after ${afterMs} ms`;
      await using made = await layout();
      const name = `shop/web:v${count}`;
      await saveLayout(cluster.lab, SOURCE, made, name, "/root/image.tar");
      const push = ["image", "push", "--archive", "/root/image.tar"];
      const daemon = await daemonOf(cluster, SOURCE);
      const running = cluster.ctl(SOURCE, push, { ok: [0, 1, 2, 3, 4, 5] });
      await sh(OTHER, `sleep ${afterMs / 1000}`);
      await signalProcess(daemon, "SIGKILL");
      const { exitCode, stdout, stderr } = await running;
      expect(`${exitCode} ${stdout} ${stderr}`, label).not.toMatch(/\binternal\b/);
      await answers(cluster, SOURCE);
      await cluster.ctl(SOURCE, push);
      await healed(label);
      expect(await holders(name), label).toEqual(["m1"]);
      await cleared(label);
    }
  });

  it("a power cut in the middle of transfer and unpacking, then the same command", async () => {
    for (const afterMs of [50, 200, 500, 1000, 2000]) {
      const label = `m3 without power ${afterMs} ms after its step began`;
      const name = await pushed();
      const args = ["image", "distribute", name, "--to", "m2,m3"];
      const running = await started(cluster, COORDINATOR, args);
      await running.event(({ type, step }) => type === "step" && step === "image@m3");
      await sh(COORDINATOR, `sleep ${afterMs / 1000}`);
      await cluster.lab.cut(3);
      await cluster.lab.on(3);
      await answers(cluster, 3);
      // It waits for the machine; when that was away for too long, the same command does the rest.
      expect((await running.done).stdout, label).not.toContain('"internal"');
      await cluster.ctl(SOURCE, args, { timeoutMs: 180_000 });
      await healed(label);
      expect([...(await holders(name))].sort(), label).toEqual(["m1", "m2", "m3"]);
      await cleared(label);
    }
  });

  it("of two distributes of one image at once one is done and the other one too, or refused until then", async () => {
    const name = await pushed();
    const commands = [
      [2, ["image", "distribute", name, "--all"]],
      [3, ["image", "distribute", name, "--to", "m2"]],
    ] as const;
    const results = await Promise.all(
      commands.map(([i, args]) => cluster.ctl(i, [...args, "--json"], { ok: [0, 3] })),
    );
    expect(results.map(({ exitCode }) => exitCode)).toContain(0);
    for (const { exitCode, stdout } of results) if (exitCode === 3) expect(stdout).toContain("scope_busy");
    for (const [i, args] of commands) await cluster.ctl(i, args);
    expect([...(await holders(name))].sort()).toEqual(["m1", "m2", "m3"]);
    await healed("two at once");
    await cleared("two at once");
  });

  it("prune beside deploys removes nothing that they use", async () => {
    const stop = new AbortController();
    const pruning = (async () => {
      for (let n = 0; !stop.signal.aborted; n++)
        await cluster.ctl(2 + (n % 2), ["image", "prune", "--all", "--yes"], { ok: [0, 3, 4, 5] });
    })();
    try {
      for (let round = 0; round < 5; round++) {
        const version = ++count;
        count -= 1;
        await using made = await layout();
        await pushLayout(cluster.lab, registry, made, `shop/live:v${version}`);
        const manifest = `namespace = "live"\n[services.web]\nimage = "${registry.host}/shop/live:v${version}"\nports = { http = 8080 }\nroutes = [{ host = "live.example.test", port = "http" }]\nready = { http = "/version", port = "http", timeout = "30s" }\nreplicas = 3\ndrain = "0s"\n`;
        await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest)], { timeoutMs: 180_000 });
        expect((await cluster.get(2, "live.example.test", "/version")).body.trim()).toBe(String(version));
      }
    } finally {
      stop.abort();
      await pruning;
    }
    await healed("prune beside deploys");
    await cluster.ctl(1, ["namespace", "rm", "live", "--yes"]);
  });
});
