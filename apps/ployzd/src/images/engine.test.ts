import type { Images } from "@ployz/runtime";
import { expect, it } from "vitest";
import { finishPulls } from "./engine.ts";

it("a pull whose daemon died gets a name that a cleaning knows, and loses the one of the pull", async () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const done: unknown[] = [];
  const engine = {
    list: async () => [
      { id: "one", sizeBytes: 1, names: [], pulledAs: [`127.0.0.1:4321/ployz/image@${digest}`] },
      { id: "two", sizeBytes: 1, names: ["web:v1"], pulledAs: [`127.0.0.1:5000/other@${digest}`] },
    ],
    tag: async (...args: unknown[]) => void done.push(["tag", ...args]),
    untag: async (...args: unknown[]) => void done.push(["untag", ...args]),
  } as unknown as Images;
  await finishPulls(engine, { add: async (image) => void done.push(["brought", image]) });
  const name = `ployz/image:${"a".repeat(12)}`;
  expect(done).toEqual([
    ["brought", { digest, id: "one", name }],
    ["tag", "one", name],
    ["untag", `127.0.0.1:4321/ployz/image@${digest}`],
  ]);
});
