import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { branched, copy, deployed, preview } from "../examples/branch.ts";
import { done, failed, leftOnM1 } from "../examples/primitive.ts";

it("the README's example runs, and has the documented result", async () => {
  const read = (path: string) => readFile(new URL(path, import.meta.url), "utf8");
  expect(await read("../README.md")).toContain((await read("../examples/primitive.ts")).trimEnd());
  expect(failed).toMatchObject({ state: "failed", error: { code: "machine_draining", machine: "m2" } });
  expect(leftOnM1).toBe(0);
  expect(done).toMatchObject({ state: "done", output: "db is on m1 and m2" });
});

it("the README's program deploys, shows the plan of a branch and branches", async () => {
  const read = (path: string) => readFile(new URL(path, import.meta.url), "utf8");
  expect(await read("../README.md")).toContain((await read("../examples/branch.ts")).trimEnd());
  expect(deployed).toMatchObject({ state: "done", output: { namespace: "prod", warnings: [] } });
  expect(preview).toMatchObject({ kind: "plan", summary: { volumes: [{ name: "data", action: "copy" }] } });
  expect(branched).toMatchObject({ state: "done" });
  expect(copy).toMatchObject({ routes: [{ host: "pr-42--www.example.com" }], branchedFrom: "prod" });
});

it("the walk to a first primitive shows the files that run", async () => {
  const read = (path: string) => readFile(new URL(path, import.meta.url), "utf8");
  const walk = await read("../../../docs/first-primitive.md");
  const files = ["../examples/hello/plan.ts", "../examples/hello/steps.ts", "../examples/hello/index.ts"];
  for (const file of [...files, "../test/hello.test.ts"])
    expect(walk).toContain((await read(file)).trimEnd());
});
