import type { Confinement } from "./types.ts";

/** The first line of a confinement in a unit file; it ends before an empty line or with the file. */
const BEGIN = "# Confined:";

/** Settings of systemd.exec(5) and systemd.resource-control(5) for a service that runs as root or as `user`. */
export function unitLines(
  confined: Confinement,
  user: string | undefined,
  word: (text: string) => string,
  more: readonly string[] = [],
) {
  const { capabilities, writes, families, namespaces = [], devices = [] } = confined;
  const kept = capabilities.map((name) => `CAP_${name.toUpperCase()}`).join(" ");
  const path = (text: string) => word(text).replaceAll("$$", "$");
  /** Outside of the confinement, and before it: a folder made later would stay read-only. */
  const made = (mode: string, paths: readonly string[]) =>
    paths.length === 0 ? [] : [`ExecStartPre=+/bin/mkdir -p -m ${mode} ${paths.map(word).join(" ")}`];
  const passing = (one: string) => one.startsWith("/run/");
  const powerless = capabilities.length === 0 && namespaces.length === 0;
  return [
    BEGIN,
    "NoNewPrivileges=yes",
    `CapabilityBoundingSet=${kept}`,
    ...(user === undefined ? [] : [`AmbientCapabilities=${kept}`]),
    "ProtectSystem=strict",
    ...made(
      "0700",
      writes.filter((one) => !passing(one)),
    ),
    ...made("0755", writes.filter(passing)),
    ...writes.map((one) => `ReadWritePaths=${path(`-${one}`)}`),
    "ProtectHome=yes",
    "PrivateTmp=yes",
    ...(devices.length === 0 ? ["PrivateDevices=yes"] : []),
    "DevicePolicy=closed",
    ...devices.map((one) => `DeviceAllow=${path(one)} rw`),
    ...["KernelTunables", "KernelModules", "KernelLogs", "ControlGroups", "Clock", "Hostname"].map(
      (what) => `Protect${what}=yes`,
    ),
    ...(confined.seesProcesses === true ? [] : ["ProtectProc=invisible"]),
    `RestrictAddressFamilies=${families.join(" ")}`,
    `RestrictNamespaces=${namespaces.length === 0 ? "yes" : namespaces.join(" ")}`,
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    ...(confined.compiles === true ? [] : ["MemoryDenyWriteExecute=yes"]),
    "KeyringMode=private",
    "UMask=0077",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    `SystemCallFilter=@system-service${capabilities.includes("sys_chroot") ? " chroot" : ""}`,
    ...(powerless ? ["SystemCallFilter=~@privileged @resources"] : []),
    ...more,
    "",
  ];
}

/** The words before a command line that take the rights away: setpriv(1). */
export function setpriv({ capabilities, startsServices }: Confinement): readonly string[] {
  if (startsServices === true) return [];
  const kept = ["-all", ...capabilities.map((name) => `+${name}`)].join(",");
  return ["setpriv", "--no-new-privs", "--inh-caps=-all", `--bounding-set=${kept}`, "--"];
}

/** A definition without its confinement: what decides whether a running service has to start again. */
export const unconfined = (definition: string): string =>
  definition.replace(/\n# Confined:\n(?:.+\n)*/, "").replace(/'setpriv' (?:'-[^']*' )+/, "");
