import { type Control, onWorker, type Processes } from "./control.ts";

/** Ends replaced workers beyond `most`: each takes memory. A WebSocket of one namespace lives on, however often others change; a kept connection without a request does not. */
export async function endOldWorkers(
  control: Control,
  now: Pick<Processes, "oldWorkers"> | undefined,
  most: number,
): Promise<void> {
  const old = now?.oldWorkers ?? [];
  if (old.length <= most) return;
  const looked = await Promise.all(old.map(async (pid) => ({ pid, busy: await isBusy(control, pid) })));
  for (const pid of toEnd(looked, most)) end(pid);
}

/** Those without a request in progress first, then the oldest: the master lists the newest first. */
export function toEnd(
  workers: readonly { readonly pid: number; readonly busy: boolean }[],
  most: number,
): readonly number[] {
  const oldest = [...workers].reverse();
  return [...oldest.filter(({ busy }) => !busy), ...oldest.filter(({ busy }) => busy)]
    .slice(0, Math.max(0, workers.length - most))
    .map(({ pid }) => pid);
}

/** A kept connection without a request is no session of HAProxy's; the one that asks is. */
async function isBusy(control: Control, pid: number): Promise<boolean> {
  const text = await control.ask(onWorker(pid, "show sess")).catch(() => "");
  return text.split("\n").some((line) => /^0x[0-9a-f]+: /.test(line) && !/ fe=GLOBAL /.test(line));
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // It has ended by itself.
  }
}
