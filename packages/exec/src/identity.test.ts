import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { identify, isAlive, signalProcess, spawnDetached, waitFor } from "./index.ts";

it("knows a process by more than its pid", async () => {
  const self = await identify(process.pid);
  if (self === undefined) throw new Error("this process has no identity");
  expect(await isAlive(self)).toBe(true);
  expect(await isAlive({ ...self, startTime: "1" })).toBe(false);
  expect(await signalProcess({ ...self, bootId: "another boot" }, "SIGKILL")).toBe(false);
});

it("starts a program in a session of its own and ends it by identity", async () => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-exec-"));
  try {
    const sleeper = await spawnDetached("sleep", ["60"], { logFile: join(dir, "log") });
    const session = (await readFile(`/proc/${sleeper.pid}/stat`, "utf8")).split(") ")[1]?.split(" ")[3];
    expect(session).toBe(String(sleeper.pid));
    expect(await signalProcess(sleeper, "SIGKILL")).toBe(true);
    await waitFor("the sleeper to end", async () => ((await isAlive(sleeper)) ? undefined : true), {
      timeoutMs: 5_000,
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

it("says what it waited for", async () => {
  await expect(waitFor("a door to open", async () => undefined, { timeoutMs: 30 })).rejects.toMatchObject({
    code: "deadline_exceeded",
    message: expect.stringContaining("a door to open"),
  });
});
