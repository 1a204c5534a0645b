import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { findProgram, run } from "@ployz/exec";
import { INIT_SCRIPT } from "./service.ts";

const MARK = "# managed by ployz";

/** Starts the daemon at boot where there is no systemd (LSB header: update-rc.d(8)). */
const SCRIPT = `#!/bin/sh
${MARK}
### BEGIN INIT INFO
# Provides:          ployz
# Required-Start:    $local_fs $remote_fs $network
# Should-Start:      docker zfs-fuse
# Required-Stop:     $local_fs $remote_fs $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Ployz daemon
### END INIT INFO
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ployzctl=/usr/local/bin/ployzctl
[ -x "$ployzctl" ] || exit 5
case "$1" in
  start) exec "$ployzctl" daemon start </dev/null ;;
  stop) exec "$ployzctl" daemon stop </dev/null ;;
  restart | force-reload) "$ployzctl" daemon stop </dev/null; exec "$ployzctl" daemon start </dev/null ;;
  status) exec "$ployzctl" daemon status ;;
  *) echo "usage: $0 start|stop|restart|status" >&2; exit 2 ;;
esac
`;

const written = (): Promise<string> => readFile(INIT_SCRIPT, "utf8").catch(() => "");

/** Resolves with whether anything changed. */
export async function installInitScript(): Promise<boolean> {
  const changed = (await written()) !== SCRIPT;
  if (changed) {
    await writeFile(INIT_SCRIPT, SCRIPT, { mode: 0o755 });
    await chmod(INIT_SCRIPT, 0o755);
  }
  const update = await findProgram("update-rc.d");
  if (update !== undefined) await run(update, ["ployz", "defaults"]);
  return changed;
}

export async function removeInitScript(): Promise<boolean> {
  if (!(await written()).includes(MARK)) return false;
  await rm(INIT_SCRIPT, { force: true });
  const update = await findProgram("update-rc.d");
  if (update !== undefined) await run(update, ["ployz", "remove"]);
  return true;
}
