// Reads a report of vitest's JSON reporter.
//
//   vitest-report.mjs counts REPORT EXIT-CODE   "<passed> <failed>"; a run that ended badly without a failed test is one failure
//   vitest-report.mjs files REPORT              the test files that failed, one per line
//   vitest-report.mjs failures REPORT           what failed and why, one line each
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const [what, path, exitCode = "0"] = process.argv.slice(2);
const report = (() => {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return { testResults: [] }; // it was stopped before it could write one
  }
})();
const failed = (report.testResults ?? []).filter(({ status }) => status === "failed");
const firstLine = (text) =>
  String(text ?? "")
    .replaceAll(/\p{Cc}\[[0-9;]*m/gu, "")
    .split("\n")[0];

if (what === "counts") {
  const { numPassedTests: passed = 0, numFailedTests: wrong = 0 } = report;
  console.log(passed, wrong || (exitCode !== "0" || passed === 0 ? 1 : 0));
}
if (what === "files") for (const { name } of failed) console.log(name);
if (what === "failures") {
  for (const { name, message, assertionResults } of failed) {
    const file = relative(process.cwd(), name);
    const tests = assertionResults.filter(({ status }) => status === "failed");
    if (tests.length === 0) console.log(`${file}: ${firstLine(message)}`);
    for (const test of tests) console.log(`${file}: ${test.fullName}: ${firstLine(test.failureMessages[0])}`);
  }
}
