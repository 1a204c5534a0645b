import { Agent } from "node:http";
import { waitFor } from "@ployz/exec";
import { expect, it } from "vitest";
import { openLab, serverOf, tableOf } from "./lab.ts";
import { fetchVia, startLoad } from "./load.ts";

it("flips servers 20 times and reloads 5 times under load without losing a request", async () => {
  const lab = await openLab();
  const blue = [await lab.upstream("b1"), await lab.upstream("b2")].map(serverOf);
  const green = [await lab.upstream("g1"), await lab.upstream("g2")].map(serverOf);
  const web = (version: string, servers = blue, others = 0) =>
    tableOf(version, {
      "web.test": servers,
      ...Object.fromEntries(Array.from({ length: others }, (_, index) => [`other${index}.test`, blue])),
    });
  expect((await lab.gateway.apply(web("0"))).changed).toBe("reload");

  const load = startLoad(lab.port, "web.test", 250);
  const changes: string[] = [];
  for (let turn = 1; turn <= 25; turn++) {
    const others = Math.floor(turn / 5);
    const { changed } = await lab.gateway.apply(web(String(turn), turn % 2 === 1 ? green : blue, others));
    changes.push(changed);
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  const report = await load.stop();

  expect(report.failures).toEqual([]);
  expect(changes.filter((changed) => changed === "reload")).toHaveLength(5);
  expect(changes.filter((changed) => changed === "runtime")).toHaveLength(20);
  expect(report.sent).toBeGreaterThan(600);
  expect([...report.names.keys()].sort()).toEqual(["b1", "b2", "g1", "g2"]);
  const status = await lab.gateway.status();
  expect(status).toMatchObject({ state: "running", version: "25" });
  expect(status.difference).toBeUndefined();
});

it("sends every request that starts after apply to the new servers, also on kept connections and in old workers", async () => {
  const lab = await openLab();
  const [one, two] = [await lab.upstream("one"), await lab.upstream("two")];
  const name = async (agent?: Agent): Promise<string> =>
    (
      JSON.parse((await fetchVia(lab.port, { host: "web.test", ...(agent && { agent }) })).body) as {
        name: string;
      }
    ).name;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(one)] }));
  expect(await name(agent)).toBe("one");
  // The kept connection stays with the worker that this reload replaces.
  const reload = await lab.gateway.apply(
    tableOf("2", { "web.test": [serverOf(one)], "new.test": [serverOf(one)] }),
  );
  expect(reload.changed).toBe("reload");
  expect((await lab.gateway.status()).oldWorkers).toHaveLength(1);
  const flip = await lab.gateway.apply(
    tableOf("3", { "web.test": [serverOf(two)], "new.test": [serverOf(one)] }),
  );
  expect(flip.changed).toBe("runtime");
  expect(await name(agent)).toBe("two");
  expect(await name()).toBe("two");
  agent.destroy();
});

it("lets a request in flight finish through a flip and a reload, and says when it is done", async () => {
  const lab = await openLab();
  const [old, fresh] = [await lab.upstream("old"), await lab.upstream("fresh")];
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(old)] }));
  const long = fetchVia(lab.port, { host: "web.test", path: "/slow?ms=3000" });
  while (old.busy() === 0) await new Promise((resolve) => setTimeout(resolve, 5));

  await lab.gateway.apply(tableOf("2", { "web.test": [serverOf(fresh)] }));
  expect(await lab.gateway.drain("old", { timeoutMs: 200 })).toEqual({ drained: false, sessions: 1 });
  await lab.gateway.apply(tableOf("3", { "web.test": [serverOf(fresh)], "new.test": [serverOf(fresh)] }));
  expect(await lab.gateway.drain("old", { timeoutMs: 200 })).toEqual({ drained: false, sessions: 1 });
  expect(await lab.gateway.drain("old")).toEqual({ drained: true, sessions: 0 });
  expect((await long).body).toContain('"old"');
});

it("gives servers their shares by weight, exactly, and changes shares without a reload or a lost request", async () => {
  const lab = await openLab();
  const [old, fresh, slow] = [
    await lab.upstream("old"),
    await lab.upstream("fresh"),
    await lab.upstream("slow"),
  ];
  const shares = async (): Promise<readonly number[]> => {
    const bodies = await Promise.all(
      Array.from({ length: 100 }, () => fetchVia(lab.port, { host: "web.test" })),
    );
    const names = bodies.map(({ body }) => (JSON.parse(body) as { name: string }).name);
    return ["old", "fresh", "slow"].map((name) => names.filter((one) => one === name).length);
  };
  const weighed = (version: string, ...weights: readonly number[]) =>
    lab.gateway.apply(
      tableOf(version, {
        "web.test": [old, fresh, slow].flatMap((one, index) => {
          const weight = weights[index] ?? 0;
          return weight === 0 ? [] : [{ ...serverOf(one), weight }];
        }),
      }),
    );
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(old)] }));
  expect((await weighed("2", 9, 1)).changed).toBe("runtime");
  const [, ten = 0] = await shares();
  expect(ten).toBeGreaterThanOrEqual(9);
  expect(ten).toBeLessThanOrEqual(11);
  expect((await weighed("3", 2, 2, 6)).changed).toBe("runtime");
  // The turns of the weights before end first.
  await shares();
  const [, , sixty = 0] = await shares();
  expect(Math.abs(sixty - 60)).toBeLessThanOrEqual(2);
  expect((await lab.gateway.status()).difference).toBeUndefined();
  expect(
    (await lab.gateway.apply(tableOf("4", { "web.test": [serverOf(old), serverOf(slow)] }))).changed,
  ).toBe("runtime");
  await shares();
  const [half = 0, none] = await shares();
  expect([Math.abs(half - 50) <= 1, none]).toEqual([true, 0]);
  await lab.gateway.stop();
  await weighed("5", 9, 1);
  const [again = 0] = await shares();
  expect(Math.abs(again - 90)).toBeLessThanOrEqual(1);
});

it("cuts what a removed server still serves when the limit is reached", async () => {
  const lab = await openLab({ drainTimeoutMs: 500 });
  const [old, fresh] = [await lab.upstream("old"), await lab.upstream("fresh")];
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(old)] }));
  const long = fetchVia(lab.port, { host: "web.test", path: "/slow?ms=20000", method: "POST" }).catch(String);
  while (old.busy() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await lab.gateway.apply(tableOf("2", { "web.test": [serverOf(fresh)] }));
  await long;
  await waitFor("the instance to be rid of it", async () => old.busy() === 0 || undefined, {
    timeoutMs: 1000,
  });
});

it("drains a server that is still in the table, over a restart too, until it is undrained", async () => {
  const lab = await openLab();
  const [one, two] = [await lab.upstream("one"), await lab.upstream("two")];
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(one), serverOf(two)] }));
  const names = async (): Promise<string[]> => {
    const bodies = await Promise.all(
      Array.from({ length: 8 }, () => fetchVia(lab.port, { host: "web.test" })),
    );
    return [...new Set(bodies.map((answer) => (JSON.parse(answer.body) as { name: string }).name))].sort();
  };
  expect(await lab.gateway.drain("one")).toEqual({ drained: true, sessions: 0 });
  expect(await names()).toEqual(["two"]);
  await lab.gateway.stop();
  expect(await lab.gateway.adopt()).toEqual({ state: "started", version: "1" });
  expect(await names()).toEqual(["two"]);
  await lab.gateway.undrain("one");
  expect(await names()).toEqual(["one", "two"]);
  expect((await lab.gateway.status()).difference).toBeUndefined();
});

it("takes more servers than there are free slots without a reload", async () => {
  const lab = await openLab();
  const first = serverOf(await lab.upstream("u0"));
  await lab.gateway.apply(tableOf("1", { "web.test": [first] }));
  const many = await Promise.all(
    Array.from({ length: 9 }, async (_, index) => serverOf(await lab.upstream(`u${index + 1}`))),
  );
  expect((await lab.gateway.apply(tableOf("2", { "web.test": many }))).changed).toBe("runtime");
  const status = await lab.gateway.status();
  expect(status.difference).toBeUndefined();
  expect(status.servers.filter((server) => server.state === "up")).toHaveLength(9);
  expect((await lab.gateway.apply(tableOf("2", { "web.test": many }))).changed).toBe("none");
});
