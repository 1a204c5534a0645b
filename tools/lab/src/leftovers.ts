import { readdir, readFile, stat } from "node:fs/promises";
import { cgroupDirs, processesIn } from "./cgroup.ts";
import { labCgroup, labNetns, stateDir } from "./names.ts";

/** Lists a lab's remains on this host. Inspects the host itself, not the lab's state. */
export async function leftovers(lab: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { pid } of await processesIn(labCgroup(lab))) found.push(`process ${pid} in its cgroup`);
  for (const dir of [stateDir(lab), ...(await cgroupDirs(labCgroup(lab)))])
    if (await exists(dir)) found.push(dir);
  const names = await readdir("/run/netns").catch(() => []);
  found.push(
    ...names
      .filter((name) => name === labNetns(lab) || name.startsWith(`${labNetns(lab)}.`))
      .map((n) => `netns ${n}`),
  );
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const [mounts, argv] = await Promise.all(
      [`/proc/${pid}/mounts`, `/proc/${pid}/cmdline`].map((file) => readFile(file, "utf8").catch(() => "")),
    );
    if (mounts?.includes(`${stateDir(lab)}/`)) found.push(`mounts of process ${pid}`);
    if (argv?.includes(`${stateDir(lab)}/`))
      found.push(`process ${pid}: ${argv.replaceAll("\0", " ").trim()}`);
  }
  return found;
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
