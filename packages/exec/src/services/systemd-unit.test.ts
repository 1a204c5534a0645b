import { expect, it } from "vitest";
import { unconfined } from "./confine.ts";
import { renderRun } from "./s6-run.ts";
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

const confined = {
  capabilities: ["net_admin"],
  writes: ["/var/lib/x $50%", "/run/x"],
  families: ["AF_INET"],
} as const;

it("takes away everything that a confined service does not name", () => {
  expect(lines({ confined })).toEqual(
    expect.arrayContaining([
      ...["NoNewPrivileges=yes", "CapabilityBoundingSet=CAP_NET_ADMIN", "ProtectSystem=strict"],
      ...[
        'ReadWritePaths="-/var/lib/x $50%%"',
        'ExecStartPre=+/bin/mkdir -p -m 0700 "/var/lib/x $$50%%"',
        'ExecStartPre=+/bin/mkdir -p -m 0755 "/run/x"',
        "ProtectHome=yes",
        "RestrictAddressFamilies=AF_INET",
      ],
      ...["SystemCallFilter=@system-service", "RestrictNamespaces=yes", "MemoryDenyWriteExecute=yes"],
    ]),
  );
  const user = lines({ user: "web", confined: { ...confined, compiles: true, namespaces: ["net"] } });
  expect(user).toContain("AmbientCapabilities=CAP_NET_ADMIN");
  expect(user).toContain("RestrictNamespaces=net");
  expect(user).not.toContain("MemoryDenyWriteExecute=yes");
  expect(lines({ confined: { ...confined, capabilities: [] } })).toContain("CapabilityBoundingSet=");
});

it("waits for a program that tells when it is ready, and watches it, with one command line or a later one", () => {
  expect(lines()).toContain("Type=exec");
  const own = lines({ notifies: { watchdogMs: 60_000 }, confined });
  expect(own).not.toContain("Type=exec");
  const start = own.slice(own.indexOf("Type=notify"));
  expect(start.slice(0, 6)).toEqual([
    ...["Type=notify", "NotifyAccess=all", "TimeoutStartSec=infinity", "WatchdogSec=60000ms"],
    ...["WatchdogSignal=SIGKILL", 'ExecStart="/bin/web"'],
  ]);
  const later = renderUnit({ ...spec, notifies: { argv: ["/bin/web", "-s"] }, confined });
  expect(later).toContain(
    'NotifyAccess=main\nTimeoutStartSec=infinity\nExecStart=\nExecStart="/bin/web" "-s"\n',
  );
  expect(unconfined(later)).toBe(renderUnit(spec));
  expect(unconfined(own.join("\n"))).not.toBe(renderUnit(spec));
});

it("compares definitions without their confinement, so that a changed one restarts nothing", () => {
  for (const render of [renderUnit, renderRun]) {
    const free = render({ ...spec, startAtBoot: true });
    const bound = render({ ...spec, startAtBoot: true, confined });
    expect(bound).not.toBe(free);
    expect(unconfined(bound)).toBe(free);
    expect(unconfined(render({ ...spec, argv: ["/bin/other"], confined }))).not.toBe(free);
  }
  expect(renderRun({ ...spec, confined })).toContain(
    "exec 2>&1 'setpriv' '--no-new-privs' '--inh-caps=-all' '--bounding-set=-all,+net_admin' '--' '/bin/web'",
  );
  expect(renderRun({ ...spec, confined: { ...confined, startsServices: true } })).not.toContain("setpriv");
});
