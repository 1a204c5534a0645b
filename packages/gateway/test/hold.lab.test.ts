import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import { expect, it } from "vitest";
import type { Gateway } from "../src/index.ts";
import { freePort, later, openLab, serverOf, tableOf } from "./lab.ts";
import { type Fetched, fetchVia, startLoad } from "./load.ts";
import { startTcpEcho, startUpstream } from "./upstream.ts";

const WEB = "prod/web.test/http";
const isWeb = (id: string): boolean => id === WEB;
const web = (server: { readonly name: string; readonly port: number }, version = server.name) =>
  tableOf(version, { "web.test": [serverOf(server)] });

/** One server, and that many requests a second. */
async function underLoad(rate: number) {
  const lab = await openLab();
  const old = await lab.upstream("old");
  await lab.gateway.apply(web(old));
  const load = startLoad(lab.port, "web.test", rate);
  await waitFor("some load", async () => old.served() > 20 || undefined, { timeoutMs: 5000, intervalMs: 5 });
  return { lab, old, load };
}

const untilWaiting = (gateway: Gateway, count: number): Promise<true> =>
  waitFor(
    `${count} requests to wait`,
    async () => (await gateway.status()).holds.some(({ waiting }) => waiting >= count) || undefined,
    { timeoutMs: 10_000, intervalMs: 20 },
  );
const down = async (gateway: Gateway): Promise<boolean> =>
  (await gateway.status()).servers.some(({ state }) => state === "down");
const untilOver = (gateway: Gateway): Promise<true> =>
  waitFor("the hold to end", async () => (await gateway.status()).holds.length === 0 || undefined, {
    timeoutMs: 10_000,
    intervalMs: 20,
  });
const outcome = (answer: Fetched): string | number =>
  answer.status === 200 ? (JSON.parse(answer.body) as { name: string }).name : answer.status;

it("loses no request while the only server stops and another comes, and sends none twice", async () => {
  const lab = await openLab();
  const [old, fresh] = [await lab.upstream("old"), await lab.upstream("fresh")];
  await lab.gateway.apply(web(old));
  const load = startLoad(lab.port, "web.test", 100);
  await waitFor("some load", async () => old.served() > 20 || undefined, { timeoutMs: 5000, intervalMs: 5 });

  expect(await lab.gateway.hold(isWeb, 30_000)).toEqual([WEB]);
  void old.stop();
  await untilWaiting(lab.gateway, 1);
  const posts = Array.from({ length: 20 }, () => fetchVia(lab.port, { host: "web.test", method: "POST" }));
  await untilWaiting(lab.gateway, 100);
  expect(fresh.served()).toBe(0);
  expect((await lab.gateway.apply(web(fresh))).changed).toBe("runtime");

  expect((await Promise.all(posts)).map(outcome)).toEqual(posts.map(() => "fresh"));
  const report = await load.stop();
  expect(report.failures).toEqual([]);
  expect(old.served() + fresh.served()).toBe(report.sent + posts.length);
  await untilOver(lab.gateway);
  expect((await lab.gateway.status()).difference).toBeUndefined();
});

it("lets connections of a TCP route wait for the next server", async () => {
  const lab = await openLab();
  const [one, two] = [await startTcpEcho("one"), await startTcpEcho("two")];
  later(() => one.close());
  later(() => two.close());
  const listenPort = await freePort();
  const table = (version: string, port: number) => {
    const backend = { id: "prod/db/pg", servers: [{ id: `db-${port}`, address: "127.0.0.1", port }] };
    return { version, routes: [{ kind: "tcp" as const, id: "db", listenPort, backend }] };
  };
  await lab.gateway.apply(table("1", one.port));
  const dial = (): ((text: string) => Promise<string>) => {
    const socket = connect(listenPort, "127.0.0.1");
    later(() => socket.destroy());
    return (text) =>
      new Promise((resolve, reject) => {
        socket.once("data", (data) => resolve(data.toString()));
        socket.once("close", () => reject(new Error("closed")));
        socket.write(text);
      });
  };
  expect(await lab.gateway.hold((id) => id === "prod/db/pg", 30_000)).toEqual(["prod/db/pg"]);
  one.close();
  const dialled = Array.from({ length: 10 }, dial);
  const answers = dialled.map((say) => say("hi"));
  await untilWaiting(lab.gateway, 10);
  await lab.gateway.apply(table("2", two.port));
  expect(new Set(await Promise.all(answers))).toEqual(new Set(["two:hi"]));
  await untilOver(lab.gateway);
  // Also the one that waited inside the gateway is an ordinary connection now.
  expect(new Set(await Promise.all(dialled.map((say) => say("more"))))).toEqual(new Set(["two:more"]));

  // The next hold, while all of these are still open.
  await lab.gateway.hold(() => true, 1000);
  two.close();
  await expect(dial()("hi")).rejects.toThrow("closed");
  expect(await dialled[0]?.("still")).toBe("two:still");
});

it("serves those who wait when the same server comes back, whoever has given up meanwhile", async () => {
  const lab = await openLab();
  const one = await lab.upstream("one");
  await lab.gateway.apply(web(one));
  await one.kill();
  await lab.gateway.hold(isWeb, 30_000);
  const impatient = connect(lab.port, "127.0.0.1");
  later(() => impatient.destroy());
  impatient.write("GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
  await untilWaiting(lab.gateway, 1);
  const patient = Array.from({ length: 5 }, () => fetchVia(lab.port, { host: "web.test" }));
  await untilWaiting(lab.gateway, 6);
  impatient.destroy();
  const back = await startUpstream("one", one.port);
  later(() => back.kill());
  expect((await Promise.all(patient)).map(outcome)).toEqual(patient.map(() => "one"));
  await untilOver(lab.gateway);
});

it("fails waiting requests when the time is over, and later ones at once", async () => {
  const lab = await openLab();
  const one = await lab.upstream("one");
  await lab.gateway.apply(web(one));
  await one.kill();
  expect(await lab.gateway.hold(isWeb, 2000)).toEqual([WEB]);
  const answers = Array.from({ length: 5 }, () => fetchVia(lab.port, { host: "web.test" }));
  await untilWaiting(lab.gateway, 5);
  expect((await Promise.all(answers)).map(outcome)).toEqual(answers.map(() => 503));
  await untilOver(lab.gateway);
  expect(outcome(await fetchVia(lab.port, { host: "web.test" }))).toBe(503);
  const back = await startUpstream("one", one.port);
  later(() => back.kill());
  const served = async () => (await fetchVia(lab.port, { host: "web.test" })).status === 200 || undefined;
  await waitFor("ordinary service", served, { timeoutMs: 10_000, intervalMs: 50 });
});

it("changes nothing where a server is live, and nothing for other backends", async () => {
  const lab = await openLab();
  const one = await lab.upstream("one");
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(one)], "empty.test": [] }));
  expect(await lab.gateway.hold((id) => id === "prod/none/http", 1000)).toEqual([]);
  expect(await lab.gateway.hold(isWeb, 1000)).toEqual([WEB]);
  const load = startLoad(lab.port, "web.test", 100);
  expect(outcome(await fetchVia(lab.port, { host: "empty.test" }))).toBe(503);
  expect((await lab.gateway.status()).holds).toEqual([{ backend: WEB, waiting: 0 }]);
  await untilOver(lab.gateway);
  const report = await load.stop();
  expect(report.failures).toEqual([]);
  expect(one.served()).toBe(report.sent);
  expect(await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(one)], "empty.test": [] }))).toEqual({
    changed: "none",
    version: "1",
  });
});

it("gives those who wait the server that comes with a reload", async () => {
  const lab = await openLab();
  const [old, fresh] = [await lab.upstream("old"), await lab.upstream("fresh")];
  await lab.gateway.apply(web(old));
  await lab.gateway.hold(isWeb, 30_000);
  void old.stop();
  const answers = Array.from({ length: 5 }, () => fetchVia(lab.port, { host: "web.test" }));
  await untilWaiting(lab.gateway, 5);
  const table = tableOf("2", { "web.test": [serverOf(fresh)], "new.test": [serverOf(fresh)] });
  expect((await lab.gateway.apply(table)).changed).toBe("reload");
  expect((await Promise.all(answers)).map(outcome)).toEqual(answers.map(() => "fresh"));
  expect((await lab.gateway.status()).difference).toBeUndefined();
});

it("sends off those who wait at a reload that brings them no server, and holds those who come later", async () => {
  const lab = await openLab();
  const [old, fresh] = [await lab.upstream("old"), await lab.upstream("fresh")];
  await lab.gateway.apply(web(old));
  await lab.gateway.hold(isWeb, 30_000);
  void old.stop();
  const early = Array.from({ length: 5 }, () => fetchVia(lab.port, { host: "web.test" }));
  await untilWaiting(lab.gateway, 5);
  const other = { "new.test": [serverOf(fresh)] };
  expect((await lab.gateway.apply(tableOf("2", { "web.test": [serverOf(old)], ...other }))).changed).toBe(
    "reload",
  );
  expect((await Promise.all(early)).map(outcome)).toEqual(early.map(() => 503));
  const late = Array.from({ length: 5 }, () => fetchVia(lab.port, { host: "web.test" }));
  await untilWaiting(lab.gateway, 5);
  await lab.gateway.apply(tableOf("3", { "web.test": [serverOf(fresh)], ...other }));
  expect((await Promise.all(late)).map(outcome)).toEqual(late.map(() => "fresh"));
});

it("ends a hold that the next process does not know", async () => {
  const lab = await openLab();
  const one = await lab.upstream("one");
  await lab.gateway.apply(web(one));
  await one.kill();
  await lab.gateway.hold(isWeb, 30_000);
  const answer = fetchVia(lab.port, { host: "web.test" });
  await untilWaiting(lab.gateway, 1);
  lab.gateway.close();
  await rm(join(lab.dir, "holds.json"));
  const heir = await lab.reopen();
  expect(await heir.adopt()).toEqual({ state: "adopted", version: "one" });
  expect(outcome(await answer)).toBe(503);
  expect((await heir.status()).holds).toEqual([]);
});

it("outlives its caller: the next one drains the same servers, and ends it when another comes", async () => {
  const lab = await openLab();
  const [old, fresh] = [await lab.upstream("old"), await lab.upstream("fresh")];
  const others = async (name: string) => ({ "other.test": [serverOf(await lab.upstream(name))] });
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(old)], ...(await others("x")) }));
  const load = startLoad(lab.port, "web.test", 100);
  await waitFor("some load", async () => old.served() > 20 || undefined, { timeoutMs: 5000, intervalMs: 5 });
  await lab.gateway.hold(isWeb, 20_000, { drain: true });
  await untilWaiting(lab.gateway, 20);
  const served = old.served();
  lab.gateway.close();
  const heir = await lab.reopen();
  await heir.adopt();
  // A commit of another namespace gives the draining server nothing either.
  await heir.apply(tableOf("2", { "web.test": [serverOf(old)], ...(await others("y")) }));
  await untilWaiting(heir, 50);
  expect(old.served()).toBe(served);
  await old.stop();
  await heir.apply(tableOf("3", { "web.test": [serverOf(fresh)], ...(await others("z")) }));
  await untilOver(heir);
  expect((await load.stop()).failures).toEqual([]);
  expect(fresh.served()).toBeGreaterThan(50);
  expect((await heir.status()).difference).toBeUndefined();
});

it("ends when a server that it drained has stopped and is back, without being called off", async () => {
  const { lab, old, load } = await underLoad(100);
  await lab.gateway.hold(isWeb, 30_000, { drain: true });
  await old.stop();
  await waitFor("its checks to fail", async () => (await down(lab.gateway)) || undefined, {
    timeoutMs: 10_000,
    intervalMs: 20,
  });
  const again = await startUpstream("again", old.port);
  later(() => again.kill());
  await untilOver(lab.gateway);
  await waitFor("requests again", async () => again.served() > 50 || undefined, {
    timeoutMs: 5000,
    intervalMs: 5,
  });
  expect((await load.stop()).failures).toEqual([]);
  expect((await lab.gateway.status()).difference).toBeUndefined();
});

it("sends nothing more to a server that is about to stop, and gives it back when the hold is called off", async () => {
  const { lab, old, load } = await underLoad(100);
  expect(await lab.gateway.hold(isWeb, 30_000, { drain: true })).toEqual([WEB]);
  await untilWaiting(lab.gateway, 20);
  const served = old.served();
  await untilWaiting(lab.gateway, 50);
  expect(old.served()).toBe(served);
  await lab.gateway.hold(isWeb, 0);
  await waitFor("requests again", async () => old.served() > served + 50 || undefined, {
    timeoutMs: 5000,
    intervalMs: 5,
  });
  expect((await load.stop()).failures).toEqual([]);
  await untilOver(lab.gateway);
  expect((await lab.gateway.status()).difference).toBeUndefined();
});

it("opens before it drains: no request of a dense load finds neither server nor hold", async () => {
  const { lab, load } = await underLoad(600);
  for (let round = 0; round < 15; round++) {
    await lab.gateway.hold(isWeb, 30_000, { drain: true });
    await untilWaiting(lab.gateway, 5);
    await lab.gateway.hold(isWeb, 0);
    await untilOver(lab.gateway);
  }
  expect((await load.stop()).failures).toEqual([]);
});

it("lasts after it is called off until the server that had stopped answers again", async () => {
  const { lab, old, load } = await underLoad(100);
  expect(await lab.gateway.hold(isWeb, 30_000, { drain: true })).toEqual([WEB]);
  await old.stop();
  await waitFor("its checks to fail", async () => (await down(lab.gateway)) || undefined, {
    timeoutMs: 10_000,
    intervalMs: 20,
  });
  await lab.gateway.hold(isWeb, 0);
  await untilWaiting(lab.gateway, 100);
  const again = await startUpstream("again", old.port);
  later(() => again.kill());
  await untilOver(lab.gateway);
  await waitFor("requests again", async () => again.served() > 100 || undefined, {
    timeoutMs: 5000,
    intervalMs: 5,
  });
  expect((await load.stop()).failures).toEqual([]);
});
