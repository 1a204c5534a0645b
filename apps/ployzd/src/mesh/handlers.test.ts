import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { serveApplied, trackApplied } from "../host/follower-socket.ts";
import { type MeshDeps, meshHandlers } from "./handlers.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function followers(): Promise<Pick<MeshDeps, "gatewaySocket" | "dnsSocket">> {
  const dir = await mkdtemp(join(tmpdir(), "ployz-"));
  cleanups.push(() => rm(dir, { recursive: true }));
  const applied = trackApplied();
  applied.set(
    new Map([
      ["candidates.prod", 7],
      ["prod", 7],
    ]),
  );
  const [gatewaySocket, dnsSocket] = [join(dir, "gateway"), join(dir, "dns")];
  for (const socket of [gatewaySocket, dnsSocket])
    cleanups.push(
      await serveApplied(socket, applied, { status: () => ({ dropped: ["prod/web (no port)", "dev/x"] }) }),
    );
  return { gatewaySocket, dnsSocket };
}

test("a machine confirms a commit once it is on its disk, and candidates without that", async () => {
  const asked: string[] = [];
  let written: () => void = () => {};
  const { "publish.await": confirm } = meshHandlers({
    ...(await followers()),
    mirror: {
      durable(namespace: string) {
        asked.push(namespace);
        return new Promise<void>((resolve) => {
          written = resolve;
        });
      },
    },
  } as unknown as MeshDeps);
  const context = { signal: AbortSignal.timeout(5_000), progress() {} };
  await confirm({ namespace: "candidates.prod", revision: 7 }, context);
  expect(asked).toEqual([]);

  let confirmed = false;
  const waiting = confirm({ namespace: "prod", revision: 7 }, context).then(() => {
    confirmed = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([asked, confirmed]).toEqual([["prod"], false]);
  written();
  await waiting;
});

test("a machine whose gateway does not run confirms with a warning, and with each route that it does not serve", async () => {
  const sockets = await followers();
  const context = { signal: AbortSignal.timeout(15_000), progress() {} };
  const confirm = (deps: object) =>
    meshHandlers({ ...sockets, mirror: { durable: async () => {} }, ...deps } as unknown as MeshDeps)[
      "publish.await"
    ]({ namespace: "prod", revision: 7 }, context);
  expect(await confirm({})).toEqual({
    ...{ gateway: "applied", dns: "applied" },
    warning: "not served on this machine: prod/web (no port)",
  });
  expect(await confirm({ gatewaySocket: `${sockets.gatewaySocket}.none`, restartMs: 50 })).toEqual({
    ...{ gateway: "absent", dns: "applied" },
    warning: "the gateway of this machine does not run; until it does, it knows nothing of this change",
  });
});
