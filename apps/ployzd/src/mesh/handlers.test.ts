import { expect, test } from "vitest";
import { type MeshDeps, meshHandlers } from "./handlers.ts";

test("a machine confirms a commit once it is on its disk, and candidates without that", async () => {
  const asked: string[] = [];
  let written: () => void = () => {};
  const { "publish.await": confirm } = meshHandlers({
    ...{ gatewaySocket: "/nonexistent/gateway", dnsSocket: "/nonexistent/dns" },
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
