import { expect, it } from "vitest";
import { COMMANDS } from "../src/commands/index.ts";
import { GROUPS } from "../src/groups.ts";
import { manPages } from "../src/output/man.ts";

const pages = manPages(GROUPS, COMMANDS);

it("every command has its section in the page of its noun, and the first page names every noun", () => {
  for (const { path } of COMMANDS) {
    expect(pages[`ployzctl-${path[0]}.1`]).toContain(
      `.SH ${path.join(" ").toUpperCase().replaceAll("-", "\\-")}\n`,
    );
    expect(pages["ployzctl.1"]).toContain(`.BR ployzctl\\-${path[0].replaceAll("-", "\\-")} (1)`);
  }
});

it("has no line that roff would take for a request of its own, and no bare dash", () => {
  const requests = /^\.(TH|SH|TP|PP|B|BR|nf|fi)( |$)/;
  for (const line of Object.values(pages).flatMap((text) => text.split("\n"))) {
    if (line.startsWith(".")) expect(line).toMatch(requests);
    expect(line).not.toMatch(/^'|(?<!\\)-/);
  }
});

it("shows arguments, flags and examples", () => {
  expect(pages["ployzctl-migrate.1"]).toContain(".B ployzctl migrate SERVICE [flags]");
  expect(pages["ployzctl-migrate.1"]).toContain(".TP\n.B \\-\\-to MACHINE\nThe target machine; required");
  expect(pages["ployzctl-migrate.1"]).toContain("    ployzctl migrate prod/db \\-\\-to m3");
});
