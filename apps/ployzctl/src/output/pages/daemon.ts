import type { DaemonStatus } from "../../api.ts";
import type { DaemonInstalled, DaemonUninstalled } from "../../commands/daemon/documents.ts";
import { bytes, type Cell, duration, lines, type Page, table } from "../page.ts";

export function daemonPage(status: DaemonStatus): Page {
  const { version, pid, uptimeMs, cluster, machine, memoryBytes, serviceHost, services, adoption } = status;
  const found: Cell[] = [
    ...(status.down === undefined
      ? []
      : [
          {
            text: `could not start as a member, retrying: ${status.down.message}`,
            tone: "bad" as const,
          },
          ...(status.down.hint === undefined ? [] : [`hint: ${status.down.hint}`]),
        ]),
    ...adoption.recreated.map(({ what, why }) => ({
      text: `recreated ${what}: ${why}`,
      tone: "warn" as const,
    })),
    ...adoption.removed.map(({ what, why }) => ({ text: `removed ${what}: ${why}`, tone: "warn" as const })),
    ...adoption.failed.map(({ what, error }) => ({
      text: `failed ${what}: ${error.message}`,
      tone: "bad" as const,
    })),
  ];
  return [
    lines(
      `ployzd ${version} is running (pid ${pid}, for ${duration(uptimeMs)}, ${bytes(memoryBytes)}, under ${serviceHost})`,
      cluster === undefined
        ? "in no cluster; create one: ployzctl mesh init NAME"
        : `machine ${machine ?? "?"} of cluster ${cluster}`,
      `at start: ${adoption.adopted.length} adopted, ${adoption.recreated.length} recreated, ${adoption.failed.length} failed`,
      ...found,
    ),
    table(
      "service",
      ["SERVICE", "STATE", "PID"],
      services.map(({ name, state, pid: of }) => [
        name,
        { text: state, tone: state === "running" ? "ok" : "bad" },
        of === undefined ? "-" : String(of),
      ]),
      { empty: "no services" },
    ),
  ];
}

export function installedPage({
  service,
  version,
  serviceHost,
  socket,
  changed,
  repaired = [],
  remaining = [],
}: DaemonInstalled): Page {
  const states = {
    installed: "installed and running",
    unchanged: "is installed and running: nothing to change",
    replaced: "replaced and running",
  };
  return [
    lines(
      { text: `ployzd ${version} ${states[service]} (${serviceHost}, ${socket})`, tone: "ok" },
      ...changed.map((what) => `  wrote ${what}`),
      ...repaired.map((what) => `  put right: ${what}`),
      ...remaining.map(
        (what): Cell => ({ text: `  still wrong: ${what}; see ployzctl doctor`, tone: "warn" }),
      ),
    ),
  ];
}

export function uninstalledPage({ removed, kept }: DaemonUninstalled): Page {
  return [
    lines(
      ...(removed.length === 0 ? ["the daemon was not installed"] : removed.map((what) => `removed ${what}`)),
      ...kept.map((what) => `kept ${what}`),
    ),
  ];
}
