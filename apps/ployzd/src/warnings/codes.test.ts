import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { isAlert, WARNINGS } from "./codes.ts";

it("docs/alerts.md lists every code as it is", async () => {
  const page = await readFile(new URL("../../../../docs/alerts.md", import.meta.url), "utf8");
  const rows = Object.entries(WARNINGS).map(
    ([code, { alert, means }]) => `| \`${code}\` | ${alert ? "yes" : "no"} | ${means.replace(/\.$/, "")} |`,
  );
  expect(page.split("\n").filter((line) => /^\| `\w+` \| (yes|no) \|/.test(line))).toEqual(rows);
});

it("alerts send the codes that say so, and none that they do not know", () => {
  const warning = (code: string) => ({ code, about: "", message: "", hint: "" });
  expect(isAlert(warning("machine_unreachable"))).toBe(true);
  expect(isAlert(warning("machine_draining"))).toBe(false);
  expect(isAlert(warning("of_a_newer_version"))).toBe(false);
  expect(isAlert(warning("toString"))).toBe(false);
});
