import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkCode } from "../src/code-rules.mjs";
import { errorPage } from "../src/error-page.mjs";
import { checkErrors } from "../src/error-registry.mjs";
import { checkFloors } from "../src/floor-rules.mjs";
import { checkPackages } from "../src/package-rules.mjs";
import { readRepository, repositoryOf } from "../src/repository.mjs";
import { checkText } from "../src/text-rules.mjs";

const layers = {
  base: { dependencies: { allow: [] } },
  driver: { dependencies: { allow: ["base"] } },
  kernel: { dependencies: { allow: [] } },
  app: { dependencies: { allow: ["base", "driver", "kernel"] } },
  tool: { dependencies: { allow: ["base", "driver", "kernel", "app"] } },
};

const pkg = (
  dir: string,
  tag: string | undefined,
  dependencies: string[] = [],
  exports: string[] = ["."],
) => [
  {
    path: `${dir}/package.json`,
    text: JSON.stringify({
      name: `@ployz/${dir.split("/")[1]}`,
      exports: Object.fromEntries(exports.map((key) => [key, "./x.js"])),
      dependencies: Object.fromEntries(dependencies.map((name) => [`@ployz/${name}`, "workspace:*"])),
    }),
  },
  ...(tag === undefined ? [] : [{ path: `${dir}/turbo.json`, text: JSON.stringify({ tags: [tag] }) }]),
];

const skeleton = [
  { path: "turbo.json", text: JSON.stringify({ boundaries: { tags: layers } }) },
  ...pkg("packages/exec", "base"),
  ...pkg("packages/zfs", "driver", ["exec"]),
  ...pkg("packages/primitives", "kernel", [], [".", "./client"]),
  ...pkg("apps/ployzd", "app", ["exec", "zfs", "primitives"]),
  ...pkg("tools/lab", "tool", ["exec"]),
];

const code = (path: string, text: string) =>
  checkCode(repositoryOf([...skeleton, { path, text }])).map(({ rule, line }) => `${rule}:${line}`);

const text = (path: string, content: string, allowed?: Record<string, string>) =>
  checkText(repositoryOf([{ path, text: content }]), allowed).map(({ rule, line }) => `${rule}:${line}`);

// Put together here, so that this file does not break the rules that it tests.
const join2 = (...parts: string[]) => parts.join("");

describe("each rule finds what it forbids", () => {
  test.each([
    ["an import", 'import { spawn } from "node:child_process";'],
    ["execa", 'import { execa } from "execa";'],
    ["a dynamic import", 'const c = await import("node:child_process");'],
    ["a require", 'const c = require("child_process");'],
    ["a type import", 'type C = import("node:child_process").ChildProcess;'],
    ["a re-export", 'export { spawn } from "node:child_process";'],
  ])("spawning outside @ployz/exec: %s", (_, source) => {
    expect(code("packages/zfs/src/a.ts", `\n${source}`)).toEqual(["spawn:2"]);
    expect(code("apps/ployzd/src/a.ts", source)).toEqual(["spawn:1"]);
    expect(code("packages/exec/src/a.ts", source)).toEqual([]);
    expect(code("tools/lab/src/a.ts", source)).toEqual([]);
    expect(code("packages/zfs/src/a.test.ts", source)).toEqual(["spawn:1"]);
    expect(code("packages/primitives/src/a.test.ts", source)).toEqual([]);
  });

  test.each([
    "console.log(1);",
    "console.error(1);",
    "process.stdout.write('x');",
    "process.stderr.write('x');",
  ])("printing in a package: %s", (source) => {
    expect(code("packages/zfs/src/a.ts", source)).toEqual(["print:1"]);
    expect(code("apps/ployzd/src/a.ts", source)).toEqual([]);
  });

  test.each([
    "const now = Date.now();",
    "const clock = Date.now;",
    "const id = Math.random();",
    "const at = new Date();",
    "setTimeout(f, 1);",
    "globalThis.setInterval(f, 1);",
    "const wait = { setTimeout };",
    "const id = crypto.randomUUID();",
  ])("a clock or randomness in the kernel: %s", (source) => {
    expect(code("packages/primitives/src/engine/a.ts", source)).toEqual(["kernel-clock:1"]);
    expect(code("packages/primitives/src/testing/a.ts", source)).toEqual([]);
    expect(code("packages/primitives/src/engine/a.test.ts", source)).toEqual([]);
    expect(code("packages/zfs/src/a.ts", source)).toEqual([]);
  });

  test("what only looks like a clock is left alone", () => {
    const source =
      "new Date(now); clock.setTimeout(f); const o = { setTimeout: f }; // Date.now()\n'Math.random()';";
    expect(code("packages/primitives/src/a.ts", source)).toEqual([]);
  });

  test.each([
    ["a file of another package", 'import { a } from "@ployz/exec/src/run.ts";'],
    ["a relative path into it", 'import { a } from "../../exec/src/run.ts";'],
    ["a package that is not there", 'import { a } from "@ployz/nothing";', "deep-import:1", "undeclared:1"],
    ["a package that is not declared", 'import { a } from "@ployz/primitives";', "undeclared:1"],
  ])("importing %s", (_, source, ...expected) => {
    expect(code("packages/zfs/src/a.ts", source)).toEqual(expected.length > 0 ? expected : ["deep-import:1"]);
  });

  test("what a package exports may be imported, and tool configuration may be shared", () => {
    expect(code("apps/ployzd/src/a.ts", 'import "@ployz/primitives/client"; import "@ployz/zfs";')).toEqual(
      [],
    );
    expect(code("packages/zfs/vitest.config.ts", 'import { shared } from "../../vitest.shared.ts";')).toEqual(
      [],
    );
  });

  test("a signal that is listened to once", () => {
    expect(code("apps/ployzd/src/a.ts", 'process.once("SIGTERM", end);')).toEqual(["signal-once:1"]);
    expect(code("apps/ployzd/src/a.ts", 'process.on("SIGTERM", end);')).toEqual([]);
  });

  test.each(["it.only", "test.skip", "describe.todo", "test.concurrent.only"])("%s", (name) => {
    expect(code("packages/zfs/src/a.test.ts", `${name}("x", () => {});`)).toEqual(["focused-test:1"]);
  });

  test("a dependency against the layers, and a package without a layer", () => {
    const check = (files: { path: string; text: string }[]) =>
      checkPackages(repositoryOf(files)).map(({ message }) => message);
    expect(check(skeleton)).toEqual([]);
    expect(check([...skeleton, ...pkg("packages/dns", "driver", ["zfs"])])).toEqual([
      "@ployz/dns (driver) may not depend on @ployz/zfs (driver)",
    ]);
    expect(check([...skeleton, ...pkg("packages/dns", undefined)])).toHaveLength(1);
    expect(check([...skeleton, ...pkg("packages/dns", "unheard-of")])).toHaveLength(1);
  });

  test("a long file, unless it is allowed with a reason", () => {
    const long = "x\n".repeat(301);
    expect(text("packages/zfs/src/a.ts", long)).toEqual(["long-file:301"]);
    expect(text("packages/zfs/src/a.ts", "x\n".repeat(300))).toEqual([]);
    expect(text("packages/zfs/src/a.ts", long, { "packages/zfs/src/a.ts": "a table" })).toEqual([]);
    expect(text("docs/a.md", long)).toEqual([]);
  });

  test.each([
    join2("registry.", "npmjs.org"),
    join2("deb.", "debian.org"),
    join2("mirror.", "example-host.net"),
    join2("artifactory.", "corp.io"),
  ])("the registry host %s", (host) => {
    expect(text("docs/a.md", `see\nhttps://${host}/x`)).toEqual(["registry-host:2"]);
  });

  test.each([join2("/wo", "rk/main/x"), join2("/Us", "ers/ada/x"), join2("/ho", "me/ada/x")])(
    "the machine's path %s",
    (path) => {
      expect(text("docs/a.md", `cd ${path}`)).toEqual(["machine-path:1"]);
    },
  );
});

test("this repository is read whole, with its layers", () => {
  const repository = readRepository(join(import.meta.dirname, "..", "..", ".."));
  expect(repository.packages.map(({ name }) => name)).toContain("@ployz/house");
  expect(repository.layers.driver).toEqual(["ground", "base"]);
  expect(repository.files.some(({ path }) => path.includes("node_modules"))).toBe(false);
});

test("the build server's matrix names every package that it can build alone", () => {
  const repository = readRepository(join(import.meta.dirname, "..", "..", ".."));
  const workflow = repository.files.find(({ path }) => path === ".github/workflows/ci.yml")?.text ?? "";
  const listed = [...(/package:\n((?: +- .*\n)+)/.exec(workflow)?.[1] ?? "").matchAll(/- (.*)/g)].map(
    ([, name]) => name,
  );
  const all = repository.packages.map(({ name }) => name.replace("@ployz/", ""));
  // The payload is built by the jobs that run on Debian.
  expect([...listed, "release"].sort()).toEqual(all.sort());
});

describe("imports run one way", () => {
  const floors = (files: Record<string, string>, order?: Parameters<typeof checkFloors>[1]) =>
    checkFloors(
      repositoryOf([...skeleton, ...Object.entries(files).map(([path, text]) => ({ path, text }))]),
      order,
    ).map(({ rule, path, line }) => `${rule} ${path}:${line}`);

  test("a circle of two files, one of them by a type alone", () => {
    const files = {
      "packages/zfs/src/a.ts": '\nimport { b } from "./b.ts";\nexport const a = b;',
      "packages/zfs/src/b.ts": 'import type { a } from "./a.ts";\nexport const b: typeof a = 1;',
      "packages/zfs/src/c.ts": 'import { a } from "./a.ts";\nexport const c = a;',
    };
    expect(floors(files)).toEqual(["circle packages/zfs/src/a.ts:2"]);
  });

  test("a circle of three over folders, and none where a test closes it", () => {
    const files = {
      "packages/zfs/src/x/a.ts": 'export * from "../b.ts";',
      "packages/zfs/src/b.ts": 'type C = import("./y/c.ts").C;\nexport type B = C;',
      "packages/zfs/src/y/c.ts": 'import { a } from "../x/a.ts";\nexport type C = typeof a;',
      "packages/zfs/src/d.ts": 'export { d } from "./d.test.ts";',
      "packages/zfs/src/d.test.ts": 'import { d } from "./d.ts";',
    };
    expect(floors(files)).toEqual(["circle packages/zfs/src/b.ts:1"]);
  });

  test("an import of a higher floor, and of a neighbour; downward and within a room are right", () => {
    const order = { "apps/ployzd/src": [["main"], ["api"], ["mesh", "operations"], ["state"]] };
    const files = {
      "apps/ployzd/src/main.ts": 'import "./api/routes.ts";\nimport "./clock.ts";',
      "apps/ployzd/src/api/routes.ts": 'import "./views.ts";\nimport "../state/files.ts";',
      "apps/ployzd/src/api/views.ts": "",
      "apps/ployzd/src/mesh/join.ts":
        'import "../state/files.ts";\nimport type { A } from "../operations/run.ts";',
      "apps/ployzd/src/state/files.ts": '\n\nimport type { R } from "../api/views.ts";',
      "apps/ployzd/src/clock.ts": 'import "./state/files.ts";',
    };
    expect(floors(files, order)).toEqual([
      "upward-import apps/ployzd/src/mesh/join.ts:2",
      "upward-import apps/ployzd/src/state/files.ts:3",
      "upward-import apps/ployzd/src/clock.ts:1",
    ]);
  });
});

describe("error codes", () => {
  const registry = (owner: string, ...codes: string[]) => ({
    path: `packages/${owner}/src/error-codes.ts`,
    text: `export const ERRORS = defineErrors({ zfs: { failed: { ${codes.map((code) => `${code}: "It failed."`).join(", ")} } } });`,
  });
  const check = (...files: { path: string; text: string }[]) =>
    checkErrors(repositoryOf([...skeleton, ...files])).map(({ path, message }) => `${path}: ${message}`);
  const zfs = (text: string) => ({ path: "packages/zfs/src/a.ts", text });

  test("a code that is thrown and not registered", () => {
    expect(
      check(registry("zfs"), registry("exec", "known"), zfs('throw new PloyzError({ code: "lost" });')),
    ).toEqual([
      "packages/zfs/src/a.ts: lost is not in a registry of @ployz/zfs: add it to src/error-codes.ts",
      "packages/exec/src/error-codes.ts: known is never thrown",
    ]);
    expect(
      check(registry("exec", "known"), zfs('const no = { code: bad ? "known" : "lost" };')),
    ).toHaveLength(1);
  });

  test("a code that is registered and only compared", () => {
    const used = 'if (error.code === "lost" || hasCode(error, "lost")) retry(new Set(["lost"]));';
    expect(check(registry("zfs", "lost"), zfs(used))).toEqual([
      "packages/zfs/src/error-codes.ts: lost is never thrown",
    ]);
    expect(check(registry("zfs", "lost"), zfs('throw missing("lost", name);'))).toEqual([]);
  });

  test("a package throws codes of its dependencies, not of others; a code has one meaning", () => {
    expect(check(registry("exec", "known"), zfs('throw new PloyzError({ code: "known" });'))).toEqual([]);
    expect(
      check(registry("zfs", "known"), {
        path: "packages/exec/src/a.ts",
        text: 'throw new PloyzError({ code: "known" });',
      }),
    ).toHaveLength(2);
    expect(
      check(
        registry("zfs", "known"),
        registry("exec", "known"),
        zfs('throw new PloyzError({ code: "known" });'),
      ),
    ).toEqual(["packages/exec/src/error-codes.ts: known is registered twice"]);
  });

  test("docs/errors.md is generated from the registries", () => {
    const repository = readRepository(join(import.meta.dirname, "..", "..", ".."));
    const page = repository.files.find(({ path }) => path === "docs/errors.md")?.text;
    expect(errorPage(repository), "pnpm --filter @ployz/house errors").toBe(page);
  }, 120_000);
});

test("workflows name each action by its commit: a tag can be moved", () => {
  const repository = readRepository(join(import.meta.dirname, "..", "..", ".."));
  const uses = repository.files
    .filter(({ path }) => path.startsWith(".github/workflows/"))
    .flatMap(({ text }) => text.split("\n").filter((line) => /\buses:/.test(line)));
  expect(uses.length).toBeGreaterThan(5);
  for (const line of uses) expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});
