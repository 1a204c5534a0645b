import { readdir, readFile } from "node:fs/promises";

/** proc_pid_task_children(5), which counts by thread; needs no walk over all of /proc. */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const texts = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, "utf8").catch(() => "")),
  );
  return texts.flatMap((text) => text.split(" ").filter((child) => child !== "")).map(Number);
}

/** SIGKILL to every descendant of a process, not to itself. */
export const killBelow = (pid: number): Promise<void> => signalBelow(pid, "SIGKILL");

/** The same for any signal. */
export async function signalBelow(pid: number, signal: NodeJS.Signals): Promise<void> {
  for (const child of await childrenOf(pid)) {
    await signalBelow(child, signal);
    kill(child, signal);
  }
}

/** SIGKILL or another signal; nothing when there is no such process (or, negative, group of processes) any more. */
export function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
