import { unitLines } from "./confine.ts";
import type { Notifies, ServiceSpec } from "./types.ts";

/** Quotes for a unit file's command line and environment: systemd.syntax(7), and `%` and `$` doubled (systemd.service(5)). */
function quote(text: string): string {
  return `"${oneLine(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$")}"`;
}

function oneLine(text: string): string {
  if (/[\n\r\0]/.test(text)) throw new Error("a unit file value holds a line break or NUL");
  return text;
}

/** A value that systemd does not split: it only expands specifiers in it. */
const plain = (text: string): string => oneLine(text).replaceAll("%", "%%");

/** However long its start takes, as that of a daemon that waits for its pool, it is not ended for it. */
const notify = ({ watchdogMs, argv }: Notifies) => [
  "Type=notify",
  // systemd-notify(1) is another process.
  `NotifyAccess=${argv === undefined ? "all" : "main"}`,
  "TimeoutStartSec=infinity",
  ...(watchdogMs === undefined ? [] : [`WatchdogSec=${watchdogMs}ms`, "WatchdogSignal=SIGKILL"]),
];

/** Part of the confinement's text, which restarts nothing. The last setting counts. */
const fromTheNextStart = (notifies: Notifies | undefined) =>
  notifies?.argv === undefined
    ? []
    : [...notify(notifies), "ExecStart=", `ExecStart=${notifies.argv.map(quote).join(" ")}`];

/** The unit file's text for one service (systemd.service(5)). */
export function renderUnit(spec: ServiceSpec): string {
  const environment = Object.entries(spec.env ?? {}).map(
    ([name, value]) => `Environment=${quote(`${name}=${value}`).replaceAll("$$", "$")}`,
  );
  return [
    "[Unit]",
    `Description=${plain(spec.description)}`,
    `After=${["network.target", ...(spec.after ?? []).map((name) => `${name}.service`)].join(" ")}`,
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    ...(spec.notifies === undefined || spec.notifies.argv !== undefined
      ? ["Type=exec"]
      : notify(spec.notifies)),
    `ExecStart=${spec.argv.map(quote).join(" ")}`,
    ...environment,
    ...(spec.user === undefined ? [] : [`User=${plain(spec.user)}`]),
    ...(spec.cwd === undefined ? [] : [`WorkingDirectory=${plain(spec.cwd)}`]),
    `Restart=${spec.restart === "always" ? "always" : "no"}`,
    "RestartSec=1",
    `KillSignal=${spec.stopSignal ?? "SIGTERM"}`,
    `TimeoutStopSec=${Math.ceil((spec.stopTimeoutMs ?? 10_000) / 1000)}`,
    ...(spec.killMainOnly === true ? ["KillMode=process", "Delegate=yes"] : []),
    "LimitNOFILE=1048576",
    "TasksMax=infinity",
    "",
    ...(spec.confined === undefined
      ? []
      : unitLines(spec.confined, spec.user, quote, fromTheNextStart(spec.notifies))),
    ...(spec.startAtBoot === true ? ["[Install]", "WantedBy=multi-user.target", ""] : []),
  ].join("\n");
}
