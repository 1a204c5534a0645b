import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await fakeDaemon({
    "GET /v1/names": () => ({ kind: "names", machines: ["m1", "m2"], namespaces: [] }),
    "PUT /v1/images": () => ({ kind: "image-pushed", digest: "sha256:0", sizeBytes: 1, machine: "m1" }),
  });
  await mkdir(join(daemon.dir, "folder"));
  await writeFile(join(daemon.dir, "web.tar"), "archive");
});
afterEach(() => daemon.close());
const push = (...argv: string[]) =>
  ctl(["--socket", daemon.socket, "image", "push", ...argv], { cwd: daemon.dir });
const uploads = () => daemon.received.filter(({ route }) => route === "PUT /v1/images");

describe("image push", () => {
  it("sends an archive", async () => {
    expect((await push("--archive", "web.tar")).code).toBe(0);
    expect(uploads().map(({ body }) => body)).toEqual(["archive"]);
  });

  it.each([
    [2, "--archive: folder: is a folder", ["--archive", "folder"]],
    [2, "--archive: none.tar: no such file", ["--archive", "none.tar"]],
    [2, 'NAME: "UPPER:v1" is not the name of an image', ["UPPER:v1", "--archive", "web.tar"]],
    [2, 'NAME: "--x" is not the name of an image', ["--archive", "web.tar", "--", "--x"]],
    [3, "machine m9 does not exist", ["--archive", "web.tar", "--to", "m2,m9"]],
  ])("exits with %i and %s, before anything is sent", async (code, message, argv) => {
    const { code: found, err } = await push(...argv);
    expect({ found, err }).toEqual({ found: code, err: expect.stringContaining(message) });
    expect(uploads()).toEqual([]);
  });
});
