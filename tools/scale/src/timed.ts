/** How long something takes, in ms. */
export async function timed(what: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await what();
  return performance.now() - start;
}

/** The same in processor time of this process, with its collector's and compiler's: what other programs do meanwhile changes it little. */
export async function cpuTimed(what: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await what();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}
