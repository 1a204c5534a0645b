import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import type { Attached, Runtime } from "@ployz/runtime";
import { beforeEach, expect, it } from "vitest";
import { openSessions } from "./sessions.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sessions-"));
  return () => rm(dir, { recursive: true });
});
function machine(waitMs?: number) {
  const stopped: string[] = [];
  const runtime = {
    facts: async () => ({ arch: "amd64" }),
    list: async () => [
      { id: "a", state: "running" },
      { id: "b", state: "exited" },
    ],
    stop: async (id: string) => void stopped.push(id),
  } as unknown as Runtime;
  const sessions = openSessions({
    ...{ runtime, pause: join(dir, "pause"), log: () => {} },
    ...(waitMs !== undefined && { waitMs }),
  });
  return { stopped, sessions };
}
function program() {
  let exit: (exitCode: number) => void = () => {};
  const done = new Promise<{ exitCode: number }>((resolve) => {
    exit = (exitCode) => resolve({ exitCode });
  });
  const none = async () => {};
  const attached: Attached = {
    ...{ stdin: new PassThrough(), stdout: new PassThrough(), pid: 1, done, resize: none, signal: none },
    kill: async () => exit(137),
  };
  return { attached, exit: (code: number) => exit(code) };
}

it("an instance takes one program, and ends with it", async () => {
  const { stopped, sessions } = machine();
  const { attached, exit } = program();
  sessions.opened("x");
  const session = await sessions.attach("x", async () => attached);
  sessions.opened("x"); // the start was repeated
  await expect(sessions.attach("x", async () => attached)).rejects.toThrow(/does not wait/);
  expect(stopped).toEqual([]);
  exit(3);
  expect(await session.done).toEqual({ exitCode: 3 });
  expect(stopped).toEqual(["x"]);
});

it("a killed program, and one that cannot be started, end their instances", async () => {
  const { stopped, sessions } = machine();
  sessions.opened("x");
  await (await sessions.attach("x", async () => program().attached)).kill();
  await expect.poll(() => stopped).toContain("x");
  sessions.opened("y");
  await expect(sessions.attach("y", () => Promise.reject(new Error("no such program")))).rejects.toThrow(
    "no such program",
  );
  expect(stopped).toContain("y");
});

it("an instance for which no program comes ends, and the next daemon ends those of the last one", async () => {
  const { stopped, sessions } = machine(10);
  sessions.opened("x");
  await expect.poll(() => stopped).toEqual(["x"]);
  const next = machine();
  await next.sessions.tidy();
  expect(next.stopped).toEqual(["a"]);
  await expect(next.sessions.attach("a", async () => program().attached)).rejects.toThrow(/does not wait/);
});
