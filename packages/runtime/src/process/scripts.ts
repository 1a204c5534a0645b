import { shellWord } from "@ployz/exec";
import { END_MARK, LINE_BYTES } from "./log-folder.ts";
import type { InstancePaths } from "./paths.ts";
import type { Programs } from "./programs.ts";

/**
 * Runs before each life: waits out the back-off that `finish` has set, counts, and becomes runc, which stays the parent of the instance's
 * first process. No word of the operator's is in it.
 */
export function runScript({ runc }: Pick<Programs, "runc">, paths: InstancePaths): string {
  const life = ["run", "--keep", "--bundle", paths.run, "--pid-file", paths.pidFile, paths.cgroup];
  return `#!/bin/sh
starts=0; [ -r state/starts ] && read -r starts < state/starts
delay=0; [ -r state/delay ] && read -r delay < state/delay
[ "$delay" = 0 ] || sleep "$delay"
echo $((starts + 1)) > state/starts
read -r up rest < /proc/uptime
echo "$up" > state/since
rm -f ${shellWord(paths.pidFile)}
umask 022
exec ${[runc, "--root", paths.runcRoot, ...life].map(shellWord).join(" ")} </dev/null
`;
}

/**
 * Runs after each life: marks the end of what it has written, keeps the exit code and sets the next back-off (0.2 s, doubled up to 10 s; a life of 10 s or more
 * starts over). 125 tells s6-supervise to leave a job down for good. $1 is the exit code, above 255 after signal $2: then runc itself
 * was ended, and the instance may live on without it.
 */
export function finishScript({ runc }: Pick<Programs, "runc">, paths: InstancePaths): string {
  return `#!/bin/sh
{ printf '${END_MARK}\\n'; printf '${END_MARK}\\n' >&2; } &
code=$1
if [ "$code" -gt 255 ]; then
  code=$((128 + $2))
  ${[runc, "--root", paths.runcRoot, "delete", "--force", paths.cgroup].map(shellWord).join(" ")}
fi
rm -rf ${shellWord(paths.runcRoot)}
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
}

/** One s6-log(8) per stream. It reads until the last writer is gone, and so misses nothing. */
export function loggerScript(
  { log }: Pick<Programs, "log">,
  logger: { readonly fifo: string; readonly dir: string },
  limits: { readonly maxBytes: number; readonly maxFiles: number },
): string {
  const argv = [log, "-l", String(LINE_BYTES), "T", `n${limits.maxFiles}`, `s${limits.maxBytes}`, logger.dir];
  return `#!/bin/sh
TZ=UTC0 exec ${argv.map(shellWord).join(" ")} <${shellWord(logger.fifo)}
`;
}
