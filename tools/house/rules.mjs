#!/usr/bin/env node
// House rules beyond the linters, over every file that git tracks or would track. Prints each violation as
// path:line and exits 1 when there is one.
import { join } from "node:path";
import { checkCode } from "./src/code-rules.mjs";
import { checkErrors } from "./src/error-registry.mjs";
import { checkFloors } from "./src/floor-rules.mjs";
import { checkIndexes } from "./src/index-rules.mjs";
import { checkPackages } from "./src/package-rules.mjs";
import { readRepository } from "./src/repository.mjs";
import { checkText } from "./src/text-rules.mjs";
import { checkWords } from "./src/word-rules.mjs";

const repository = readRepository(join(import.meta.dirname, "..", ".."));
const violations = [
  ...checkPackages(repository),
  ...checkFloors(repository),
  ...checkCode(repository),
  ...checkIndexes(repository),
  ...checkErrors(repository),
  ...checkText(repository),
  ...checkWords(repository),
];
for (const { path, line, rule, message } of violations) console.log(`${path}:${line}: ${rule}: ${message}`);
console.log(`${repository.files.length} files, ${violations.length} violations`);
process.exitCode = violations.length > 0 ? 1 : 0;
