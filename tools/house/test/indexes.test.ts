import { expect, test } from "vitest";
import { checkIndexes } from "../src/index-rules.mjs";
import { repositoryOf } from "../src/repository.mjs";

const check = (files: Record<string, string>) =>
  checkIndexes(repositoryOf(Object.entries(files).map(([path, text]) => ({ path, text })))).map(
    ({ path, line, message }) => `${path}:${line}: ${message}`,
  );

test("the source map lists every folder of the source, and nothing else", () => {
  const files = {
    "packages/zfs/src/a.ts": "",
    "apps/ployzd/src/api/views/b.ts": "",
    "docs/source-map.md":
      "| folder | contents |\n|---|---|\n| `packages/zfs/src` | a client |\n| `apps/ployzd/src` | |\n| `apps/ployzd/src/api` | routes |\n| `apps/ployzd/src/gone` | x |",
  };
  expect(check(files)).toEqual([
    "docs/source-map.md:1: apps/ployzd/src/api/views is missing: add its line",
    "docs/source-map.md:4: apps/ployzd/src has no description",
    "docs/source-map.md:6: apps/ployzd/src/gone does not exist: remove its line",
  ]);
});

test("every decision is listed once, with status and date", () => {
  const files = {
    "docs/adr/0001-a.md": "",
    "docs/adr/0002-b.md": "",
    "docs/adr/0002-c.md": "",
    "docs/adr/README.md":
      "| [1](0001-a.md) | A | superseded by [2](0002-b.md) | 2026-11-23 |\n| [2](0002-b.md) | B | accepted | soon |\n| [3](0003-d.md) | D | accepted | 2026-11-23 |",
  };
  expect(check(files)).toEqual([
    "docs/adr/README.md:1: 0002-c.md is missing: add its line",
    "docs/adr/0002-c.md:1: its number is taken: use the next free one",
    "docs/adr/README.md:2: 0002-b.md needs a status and a date",
    "docs/adr/README.md:3: 0003-d.md does not exist",
  ]);
});

test("all packages have the version with which the change log begins", () => {
  const manifest = (name: string, version: string) => JSON.stringify({ name, version });
  const files = {
    "packages/zfs/package.json": manifest("@ployz/zfs", "0.4.0"),
    "packages/exec/package.json": manifest("@ployz/exec", "0.3.9"),
    "CHANGELOG.md": "# Changes\n\n## 0.4.0\n\n## 0.3.0\n",
  };
  expect(check(files)).toEqual(["packages/exec/package.json:1: 0.3.9, but CHANGELOG.md begins with 0.4.0"]);
});
