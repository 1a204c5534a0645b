import { expect, it } from "vitest";
import { renderUnit } from "./systemd-unit.ts";
import type { ServiceSpec } from "./types.ts";

const spec: ServiceSpec = { name: "web", description: "serves", argv: ["/bin/web"], restart: "always" };
const lines = (more: Partial<ServiceSpec> = {}) => renderUnit({ ...spec, ...more }).split("\n");

it("keeps specifiers, variables and quotes from systemd", () => {
  expect(lines({ argv: ["/bin/web", '%n "$HOME" \\n', ""] })).toContain(
    'ExecStart="/bin/web" "%%n \\"$$HOME\\" \\\\n" ""',
  );
  expect(lines({ env: { WORD: '50% of "$HOME"' } })).toContain('Environment="WORD=50%% of \\"$HOME\\""');
});

it("refuses what would be another line of the unit", () => {
  expect(() => lines({ argv: ["/bin/web", "a\nExecStartPre=/bin/evil"] })).toThrow("line break");
  expect(() => lines({ description: "a\n[Service]\nExecStartPre=/bin/evil" })).toThrow("line break");
  expect(() => lines({ cwd: "/srv\nUser=root" })).toThrow("line break");
});

it("ends only the main process of a service whose children live on, and gives it its own control groups", () => {
  expect(lines({ killMainOnly: true })).toEqual(expect.arrayContaining(["KillMode=process", "Delegate=yes"]));
  expect(lines().join("\n")).not.toContain("KillMode");
});

it("is installed for the boot only when asked, and after what it needs", () => {
  expect(lines({ startAtBoot: true, after: ["docker"] })).toEqual(
    expect.arrayContaining(["After=network.target docker.service", "WantedBy=multi-user.target"]),
  );
  expect(lines().join("\n")).not.toContain("[Install]");
});
