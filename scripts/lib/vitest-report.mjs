// Reads a report of vitest's JSON reporter.
//
//   vitest-report.mjs counts REPORT EXIT-CODE   "<passed> <failed>"; a run that ended badly without a failed test is one failure
//   vitest-report.mjs files REPORT              the test files that failed, one per line
//   vitest-report.mjs failures REPORT           what failed and why, one line each
//   vitest-report.mjs table FOLDER SUITE...     a line for each suite, from its report SUITE.json; exit code 1 unless all passed
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";

const [what, path, ...more] = process.argv.slice(2);
const [exitCode = "0"] = more;
const read = (file) => {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined; // it was stopped before it could write one
  }
};
const report = (what === "table" ? undefined : read(path)) ?? { testResults: [] };
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
if (what === "table") {
  const rows = more.map((suite) => {
    const report = read(join(path, `${suite}.json`));
    if (report === undefined) return [suite, "not run", "", "", ""];
    const { numPassedTests: passed, numFailedTests: failed, numTotalTests: total, testResults } = report;
    const good = report.success && passed > 0 && passed === total;
    const seconds = testResults.reduce((sum, { startTime, endTime }) => sum + endTime - startTime, 0) / 1000;
    const rest = total - passed - failed;
    return [
      suite,
      good ? "passed" : "failed",
      `${passed} of ${total}`,
      `${Math.round(seconds)} s`,
      rest > 0 ? `${rest} not run` : "",
    ];
  });
  const all = [["SUITE", "RESULT", "TESTS", "TIME", ""], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column].length)));
  for (const row of all)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  process.exitCode = rows.every(([, result]) => result === "passed") ? 0 : 1;
}
