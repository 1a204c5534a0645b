import type { InstanceSpec } from "../runtime.ts";
import { must, put, word, words } from "./execline.ts";
import { ENV_DIR, PUT_OLD } from "./mounts.ts";
import type { InstancePaths } from "./paths.ts";
import type { User } from "./users.ts";

/** Absolute paths of the programs used. */
export interface Programs {
  readonly execlineb: string;
  readonly emptyenv: string;
  readonly redirfd: string;
  readonly supervise: string;
  readonly svc: string;
  readonly svwait: string;
  readonly svlisten1: string;
  readonly svstat: string;
  readonly log: string;
  readonly envdir: string;
  readonly tini: string;
  readonly unshare: string;
  readonly nsenter: string;
  readonly setpriv: string;
  readonly mount: string;
  readonly umount: string;
  readonly pivotRoot: string;
  readonly hostname: string;
  readonly mkfifo: string;
}

/**
 * Docker's default set without MKNOD and NET_RAW (device nodes and forged packets need more confinement than there is here)
 * and AUDIT_WRITE. A user other than root has none of them at all.
 */
const CAPABILITIES = [
  "chown",
  "dac_override",
  "fowner",
  "fsetid",
  "kill",
  "setgid",
  "setuid",
  "setpcap",
  "setfcap",
  "net_bind_service",
  "sys_chroot",
];

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** From here on nothing can be gained back: identity, bounding set, no_new_privs (setpriv(1)). */
export function privileges(programs: Programs, user: User): readonly string[] {
  const groups = user.name === undefined ? ["--clear-groups"] : ["--init-groups"];
  const bounding = ["-all", ...CAPABILITIES.map((name) => `+${name}`)].join(",");
  return [
    programs.setpriv,
    ...["--reuid", user.name ?? String(user.uid), "--regid", String(user.gid), ...groups],
    ...["--bounding-set", bounding, "--inh-caps", "-all", "--no-new-privs", "--"],
  ];
}

/**
 * The environment is read from files, by the workload's own user: it is in no argv, and a variable like LD_PRELOAD acts only
 * after the privileges are gone. s6-envdir unsets a variable whose file is empty, hence the second folder for empty values.
 */
export function withEnvironment(programs: Programs, argv: readonly string[]): readonly string[] {
  return [
    programs.emptyenv,
    programs.envdir,
    "-fn",
    `${ENV_DIR}/set`,
    programs.envdir,
    `${ENV_DIR}/empty`,
    ...argv,
  ];
}

export interface LaunchInput {
  readonly spec: InstanceSpec;
  readonly paths: InstancePaths;
  readonly user: User;
  readonly programs: Programs;
}

/** The script that turns a supervised process into the instance: limits, namespaces, root folder, privileges, program. */
export function launchScript(input: LaunchInput): string {
  const { spec, paths, user, programs } = input;
  const argv = [...(spec.entrypoint ?? []), ...(spec.command ?? [])];
  return [
    `#!${programs.execlineb} -P`,
    "redirfd -r 0 /dev/null",
    words([programs.nsenter, `--net=${paths.netnsPath}`, "--"]),
    put("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"),
    put("/proc/sys/net/ipv4/ping_group_range", word("0 2147483647")),
    words([
      programs.unshare,
      "--mount",
      "--propagation",
      "private",
      "--uts",
      "--ipc",
      "--pid",
      "--fork",
      "--kill-child",
      "--",
    ]),
    // The system call: /proc/sys is read-only on a machine that is itself a container (systemd-nspawn, LXC).
    must([programs.hostname, spec.hostname]),
    must([programs.mount, "--bind", paths.rootfs, paths.rootfs]),
    must([programs.mount, "-a", "-T", `${paths.run}/fstab`]),
    words(["cd", paths.rootfs]),
    must([programs.pivotRoot, ".", `.${PUT_OLD}`]),
    words(["cd", "/"]),
    must([programs.umount, "-n", "-l", PUT_OLD]),
    must([programs.mount, "-n", "-o", "remount,bind,ro,nosuid,nodev", "none", "/"]),
    words(["cd", workdir(spec)]),
    "umask 022",
    // Tells the supervisor that everything around the program is in place (notification-fd).
    'if { fdmove 1 3 printf "\\n" }',
    "fdclose 3",
    words([...privileges(programs, user), programs.tini, "--", ...withEnvironment(programs, argv)]),
    "",
  ].join("\n");
}

export function workdir(spec: InstanceSpec): string {
  return spec.workdir ?? (spec.bundle === undefined ? "/" : "/app");
}

/** HOME and PATH have defaults, as in a container; what the spec says wins. */
export function environment(spec: InstanceSpec, user: User): Readonly<Record<string, string>> {
  return { PATH: DEFAULT_PATH, HOME: user.home, HOSTNAME: spec.hostname, ...spec.env };
}

/** Runs before each life: waits out the back-off that `finish` has set, and counts. No word of the operator's is in it. */
export const RUN_SCRIPT = `#!/bin/sh
starts=0; [ -r state/starts ] && read -r starts < state/starts
delay=0; [ -r state/delay ] && read -r delay < state/delay
[ "$delay" = 0 ] || sleep "$delay"
while read -r group; do echo $$ > "$group"; done < cgroups
echo $((starts + 1)) > state/starts
read -r up rest < /proc/uptime
echo "$up" > state/since
exec ./launch
`;

/**
 * Runs after each life: keeps the exit code and sets the next back-off (0.2 s, doubled up to 10 s; a life of 10 s or more
 * starts over). 125 tells s6-supervise to leave a job down for good. $1 is the exit code, above 255 after signal $2.
 */
export const FINISH_SCRIPT = `#!/bin/sh
code=$1; [ "$code" -gt 255 ] && code=$((128 + $2))
centi() { w=\${1%.*}; f=\${1#*.}; echo $((w * 100 + 1$f - 100)); }
read -r up rest < /proc/uptime
since=$up; [ -r state/since ] && read -r since < state/since
life=$(($(centi "$up") - $(centi "$since")))
back=0; [ -r state/backoff ] && read -r back < state/backoff
back=$((back * 2))
[ "$life" -ge 1000 ] && back=20
[ "$back" -lt 20 ] && back=20
[ "$back" -gt 1000 ] && back=1000
echo "$back" > state/backoff
printf '%d.%02d\\n' $((back / 100)) $((back % 100)) > state/delay
echo "$code" > state/exit.new && mv state/exit.new state/exit
[ -e once ] && exit 125
exit 0
`;

/** One s6-log(8) per stream. It reads until the last writer is gone, and so misses nothing. */
export function loggerScript(
  programs: Programs,
  logger: { readonly fifo: string; readonly dir: string },
  limits: { readonly maxBytes: number; readonly maxFiles: number },
): string {
  return [
    `#!${programs.execlineb} -P`,
    "export TZ UTC0",
    words(["redirfd", "-r", "0", logger.fifo]),
    words([programs.log, "-l", "0", "T", `n${limits.maxFiles}`, `s${limits.maxBytes}`, logger.dir]),
    "",
  ].join("\n");
}
