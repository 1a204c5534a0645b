import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { expect, test } from "vitest";
import { pauseProgram } from "./pause-program.ts";

test("the pause program runs until it is killed", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pause-"));
  const path = join(dir, "pause");
  await writeFile(path, pauseProgram(process.arch === "arm64" ? "arm64" : "amd64"));
  await chmod(path, 0o755);
  // An invalid program ends at once, with another error.
  await expect(run(path, [], { timeoutMs: 300 })).rejects.toMatchObject({ code: "exec_timeout" });
  await rm(dir, { recursive: true });
});

test.each(["amd64", "arm64"] as const)("is a static program of %s", (arch) => {
  const program = pauseProgram(arch);
  expect([program.readUInt16LE(16), program.readUInt16LE(18)]).toEqual([2, arch === "amd64" ? 62 : 183]);
  expect(program.readBigUInt64LE(96)).toBe(BigInt(program.length));
});
