import { chmod, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import { expect, it } from "vitest";
import { openGateway, type RouteTable } from "../src/index.ts";
import { freePort, later, openLab, serverOf, tableOf } from "./lab.ts";
import { fetchVia } from "./load.ts";

const within = { timeoutMs: 10_000, intervalMs: 50 };

it("is served again after kill -9 of the worker and of the master, in the same state", async () => {
  const lab = await openLab();
  const [one, two] = [await lab.upstream("one"), await lab.upstream("two")];
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(one)], "old.test": [serverOf(one)] }));
  for (let turn = 2; turn < 12; turn++)
    await lab.gateway.apply(
      tableOf(String(turn), { "web.test": [serverOf(turn % 2 ? one : two)], "old.test": [serverOf(one)] }),
    );
  const table = (await lab.gateway.status()).version;
  expect(table).toBe("11");
  const name = async (): Promise<string | undefined> => {
    const answer = await fetchVia(lab.port, { host: "web.test" }).catch(() => undefined);
    return answer?.status === 200 ? (JSON.parse(answer.body) as { name: string }).name : undefined;
  };
  for (const who of ["worker", "master"] as const) {
    const status = await lab.gateway.status();
    const master = (await lab.services.status("ployz-haproxy")).pid ?? 0;
    const pid = who === "worker" ? (status.worker ?? 0) : master;
    expect(pid).toBeGreaterThan(1);
    process.kill(pid, "SIGKILL");
    await waitFor(
      "another worker",
      async () => {
        const worker = (await lab.gateway.status()).worker;
        return (worker !== undefined && worker !== status.worker) || undefined;
      },
      within,
    );
    expect(await waitFor("an answer", name, within)).toBe("one");
    const after = await lab.gateway.status();
    expect(after).toMatchObject({ state: "running", version: "11" });
    expect(after.difference).toBeUndefined();
  }
});

it("is taken over by another caller without touching a process", async () => {
  const lab = await openLab();
  const one = serverOf(await lab.upstream("one"));
  const table = tableOf("1", { "web.test": [one] });
  await lab.gateway.apply(table);
  const { worker } = await lab.gateway.status();
  lab.gateway.close();
  const heir = await lab.reopen();
  expect(await heir.adopt()).toEqual({ state: "adopted", version: "1" });
  expect(await heir.apply(table)).toEqual({ changed: "none", version: "1" });
  expect((await heir.status()).worker).toBe(worker);
  expect(await (await lab.reopen()).adopt()).toMatchObject({ state: "adopted" });
});

it("starts from disk after a reboot, and has nothing to adopt in an empty folder", async () => {
  const lab = await openLab();
  expect(await lab.gateway.adopt()).toEqual({ state: "absent" });
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(await lab.upstream("one"))] }));
  await lab.gateway.stop();
  expect((await lab.gateway.status()).state).toBe("absent");
  expect(await (await lab.reopen()).adopt()).toEqual({ state: "started", version: "1" });
  expect((await fetchVia(lab.port, { host: "web.test" })).status).toBe(200);
});

it("finishes what a caller that died had written and not brought into effect", async () => {
  const lab = await openLab();
  const [one, two] = [serverOf(await lab.upstream("one")), serverOf(await lab.upstream("two"))];
  await lab.gateway.apply(tableOf("1", { "web.test": [one] }));
  const saved = join(lab.dir, "current", "table.json");
  const table = JSON.parse(await readFile(saved, "utf8")) as { table: RouteTable };
  await writeFile(saved, JSON.stringify({ ...table, table: tableOf("2", { "web.test": [two] }) }));
  expect(await lab.gateway.adopt()).toEqual({ state: "repaired", version: "2" });
  expect((await fetchVia(lab.port, { host: "web.test" })).body).toContain('"two"');
});

it("names the port that another program has, and keeps serving", async () => {
  const lab = await openLab();
  const one = serverOf(await lab.upstream("one"));
  const squatter = createServer();
  const taken = await freePort();
  await new Promise<void>((resolve) => squatter.listen(taken, "127.0.0.1", resolve));
  later(() => squatter.close());
  const good = tableOf("1", { "web.test": [one] });
  await lab.gateway.apply(good);
  const current = await readlink(join(lab.dir, "current"));
  const { worker } = await lab.gateway.status();
  const bad: RouteTable = {
    version: "2",
    routes: [
      ...good.routes,
      { kind: "tcp", id: "db", listenPort: taken, backend: { id: "db", servers: [one] } },
    ],
  };
  await expect(lab.gateway.apply(bad)).rejects.toMatchObject({
    code: "port_taken",
    message: `127.0.0.1:${taken} is taken by another program`,
  });
  expect(await readlink(join(lab.dir, "current"))).toBe(current);
  expect(await lab.gateway.status()).toMatchObject({ version: "1", worker });
  expect((await fetchVia(lab.port, { host: "web.test" })).status).toBe(200);

  const same = await openGateway({
    dir: `${lab.dir}-2`,
    listen: `127.0.0.1:${lab.port}`,
    services: lab.services,
    serviceName: "other",
  });
  await expect(same.apply(good)).rejects.toMatchObject({ code: "port_taken" });
  expect((await lab.services.list()).includes("other")).toBe(false);
});

it("refuses a bad table and a bad configuration with the reason, changing nothing", async () => {
  const lab = await openLab();
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(await lab.upstream("one"))] }));
  await expect(lab.gateway.apply(tableOf("2", { "web.test\nbind *:1": [] }))).rejects.toMatchObject({
    code: "gateway_config_invalid",
  });
  expect((await lab.gateway.status()).version).toBe("1");
  const odd = await openGateway({
    dir: `${lab.dir}-3`,
    listen: "127.0.0.1:1",
    services: lab.services,
    serviceName: "odd",
    user: "no-such-user",
  });
  await expect(odd.apply(tableOf("1", {}))).rejects.toMatchObject({
    code: "gateway_config_invalid",
    message: expect.stringContaining("no-such-user"),
  });
});

it("says how to get HAProxy where there is none", async () => {
  const lab = await openLab();
  const options = {
    dir: `${lab.dir}-4`,
    listen: "127.0.0.1:1",
    services: lab.services,
    haproxy: "haproxy-not-there",
  };
  await expect(openGateway(options)).rejects.toMatchObject({
    code: "haproxy_missing",
    hint: expect.stringContaining("apt install"),
  });
});

it("keeps its control socket and state to root", async () => {
  const lab = await openLab();
  await chmod(join(lab.dir, ".."), 0o755);
  await lab.gateway.apply(tableOf("1", {}));
  const mode = async (name: string): Promise<number> => (await stat(join(lab.dir, name))).mode & 0o777;
  expect(await mode(".")).toBe(0o700);
  expect(await mode("master.sock")).toBe(0o600);
  expect(await mode("current/haproxy.cfg")).toBe(0o600);
  const { worker } = await lab.gateway.status();
  expect(await readFile(`/proc/${worker}/status`, "utf8")).not.toMatch(/^Uid:\s+0\s/m);
});
