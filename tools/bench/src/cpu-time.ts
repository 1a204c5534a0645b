import { readdir, readFile } from "node:fs/promises";

/** CPU seconds that a process and its living descendants have used: fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms (proc(5)). */
export async function cpuSeconds(root: number): Promise<number> {
  const processes = await Promise.all(
    (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(stat),
  );
  const found = processes.filter((entry) => entry !== undefined);
  const family = new Set([root]);
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const { pid, parent } of found) if (family.has(parent)) family.add(pid);
  }
  return found.filter(({ pid }) => family.has(pid)).reduce((sum, { ticks }) => sum + ticks, 0) / 100;
}

async function stat(name: string) {
  const text = await readFile(`/proc/${name}/stat`, "utf8").catch(() => undefined); // it may have ended
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { pid: Number(name), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
}
