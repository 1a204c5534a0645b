#!/usr/bin/env node
// Writes docs/errors.md from the registries of error codes. With --check: exits 1 when the page is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorPage } from "./src/error-page.mjs";
import { readRepository } from "./src/repository.mjs";

const root = join(import.meta.dirname, "..", "..");
const path = join(root, "docs", "errors.md");
const page = errorPage(readRepository(root));
if (!process.argv.includes("--check")) writeFileSync(path, page);
else if (readFileSync(path, "utf8") !== page) {
  console.error("docs/errors.md is out of date: pnpm --filter @ployz/house errors");
  process.exitCode = 1;
}
