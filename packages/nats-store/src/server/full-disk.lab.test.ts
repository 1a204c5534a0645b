import { mkdir, mkdtemp, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { openServiceHost, run, type ServiceHost, stopS6 } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort, serverBinary } from "../../test/rig.ts";
import { initStore } from "../client/init.ts";
import { openStore } from "../client/store.ts";
import type { PloyzError } from "../error-codes.ts";
import { createIdentity } from "../identity.ts";
import { openStoreMachine } from "../refound/machine.ts";
import { serviceName } from "./ensure.ts";

/** A store on a disk of its own, in memory, that can be filled. */
let root: string;
let host: ServiceHost;
beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/ployz-full-`);
  await mkdir(`${root}/disk`);
  await run("mount", ["-t", "tmpfs", "-o", "size=80m", "tmpfs", `${root}/disk`]);
  host = await openServiceHost({ kind: "s6", dir: `${root}/services`, logDir: `${root}/log` });
});
afterAll(async () => {
  await host.remove(serviceName);
  await stopS6(`${root}/services`);
  await run("umount", [`${root}/disk`]);
  await rm(root, { recursive: true, force: true });
});

it("names the full disk, and takes writes again by itself when there is room, with all that it had acknowledged", async () => {
  const identity = createIdentity();
  const port = await freePort();
  const machine = openStoreMachine({
    ...{ cluster: "full", machine: "m1", dir: `${root}/disk/store`, host, binary: await serverBinary() },
    first: { listen: { host: "127.0.0.1", port }, monitorPort: await freePort() },
    users: async () => [{ machine: "m1", publicKey: identity.publicKey, role: "store" }],
  });
  await machine.start(1, true);
  let blocked: PloyzError | undefined;
  const store = openStore({
    ...{ servers: [`127.0.0.1:${port}`], nkeySeed: identity.seed, cluster: "full", machine: "m1" },
    ...{ deadlineMs: 2_000, blocked: () => blocked },
  });
  await initStore(store.session);
  const put = (key: string) =>
    store.facts.put(key, "x".repeat(60_000), 0).then(
      ({ ok }) => ok,
      ({ code }: PloyzError) => code,
    );
  expect(await put("before")).toBe(true);
  expect(await machine.makeRoom()).toBeUndefined();

  await run("dd", ["if=/dev/zero", `of=${root}/disk/fill`, "bs=1M"], { okExitCodes: [1] });
  expect(await put("full")).toBe("store_unavailable");
  const found = await machine.makeRoom();
  expect(found).toMatchObject({ restarted: false, error: { code: "disk_full" } });
  blocked = found?.error;
  expect(await put("full")).toBe("disk_full");

  await unlink(`${root}/disk/fill`);
  expect(await put("freed")).toBe("disk_full");
  expect(await machine.makeRoom()).toMatchObject({ restarted: true });
  blocked = undefined;
  await expect.poll(() => put("freed"), { timeout: 20_000 }).not.toBe("store_unavailable");
  expect(await put("after")).toBe(true);
  expect((await store.facts.list("before")).map(({ key }) => key)).toEqual(["before"]);
  expect(await machine.makeRoom()).toBeUndefined();
  await store.close();
});
