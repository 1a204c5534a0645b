import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stopS6 } from "@ployz/exec";
import { expect, it } from "vitest";
import { example } from "../examples/flip.ts";
import { freePort, later, removeFolder, serverOf } from "./lab.ts";
import { fetchVia } from "./load.ts";
import { startUpstream } from "./upstream.ts";

const near = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), "utf8");

it("runs the example of the README", async () => {
  expect((await near("../README.md")).match(/```ts\n([\s\S]*?)```/)?.[1]).toBe(
    await near("../examples/flip.ts"),
  );
  const [one, two] = [await startUpstream("one"), await startUpstream("two")];
  later(() => Promise.all([one.kill(), two.kill()]));
  const port = await freePort();
  const { root, gateway, flipped, drained } = await example(
    `127.0.0.1:${port}`,
    serverOf(one).port,
    serverOf(two).port,
  );
  later(() => removeFolder(root));
  later(() => stopS6(join(root, "services")));
  later(() => gateway.stop());
  expect(flipped).toEqual({ changed: "runtime", version: "v2" });
  expect(drained).toEqual({ drained: true, sessions: 0 });
  expect((await fetchVia(port, { host: "www.example.com" })).body).toContain('"two"');
});
