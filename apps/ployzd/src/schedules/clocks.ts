import { SKEW_MS, skewOf } from "../clock.ts";

/**
 * How this machine's clock compares with those of the store machines. `sure`: most of them agree with it. `off`: at least as many differ as agree.
 * `unsure`: too few answered.
 */
export type ClockVerdict = "sure" | "unsure" | "off";

export interface ClockDeps {
  readonly self: string;
  /** Their time is the cluster's: they are an odd number, and nothing is claimed without most of them. */
  storeMachines(): readonly string[];
  /** The clock of another machine, in epoch milliseconds. */
  clockOf(machine: string): Promise<number | undefined>;
  /** This machine's clock, in epoch milliseconds. */
  now(): number;
  /** Milliseconds of the monotonic clock. */
  elapsed(): number;
  /** The verdict has changed. */
  report(verdict: ClockVerdict): void;
}

/** After this long the clocks are compared again, in the background; */
const AGAIN_MS = 30_000;
/** after this long a claim waits for it. */
const STALE_MS = 60_000;
/** A machine whose clock was put right need not wait as long. */
const OFF_MS = 5_000;
/** The clock was set. */
const JUMP_MS = 1_000;

/** `size`: of the store. `undefined`: more answers may change it. Pure. */
export function verdictOf(
  { agree, differ, open }: { readonly agree: number; readonly differ: number; readonly open: number },
  size: number,
): ClockVerdict | undefined {
  const most = Math.floor(size / 2) + 1;
  if (agree >= most) return "sure";
  if (differ >= most) return "off";
  if (open > 0) return undefined;
  return differ > 0 && differ >= agree ? "off" : "unsure";
}

/** Compares this machine's clock with those of the store machines, at most every half minute and after it was set. */
export function openClockCheck(deps: ClockDeps): () => Promise<ClockVerdict> {
  type Known = { readonly verdict: ClockVerdict; readonly at: number; readonly epoch: number };
  let known: Known | undefined;
  let asking: Promise<ClockVerdict> | undefined;
  const epoch = () => deps.now() - deps.elapsed();

  const ask = () => {
    const began = { at: deps.elapsed(), epoch: epoch() };
    asking ??= compare(deps)
      .then((verdict) => {
        if (verdict !== (known?.verdict ?? "sure")) deps.report(verdict);
        known = { verdict, ...began };
        return verdict;
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };

  return async () => {
    if (known === undefined || Math.abs(epoch() - known.epoch) > JUMP_MS) return ask();
    const age = deps.elapsed() - known.at;
    if (age > (known.verdict === "off" ? OFF_MS : STALE_MS)) return ask();
    if (age > AGAIN_MS) void ask();
    return known.verdict;
  };
}

function compare(deps: ClockDeps): Promise<ClockVerdict> {
  const store = deps.storeMachines();
  const others = store.filter((id) => id !== deps.self);
  const seen = { agree: store.length - others.length, differ: 0, open: others.length };
  return new Promise((resolve) => {
    const decide = () => {
      const verdict = verdictOf(seen, store.length);
      if (verdict !== undefined) resolve(verdict);
    };
    for (const machine of others)
      void agrees(machine, deps).then((agreed) => {
        seen.open--;
        if (agreed !== undefined) seen[agreed ? "agree" : "differ"]++;
        decide();
      });
    decide();
  });
}

/** `undefined`: it does not answer. */
async function agrees(machine: string, { clockOf, now }: ClockDeps): Promise<boolean | undefined> {
  const asked = now();
  const clockMs = await clockOf(machine).catch(() => undefined);
  if (clockMs === undefined) return undefined;
  return Math.abs(skewOf(clockMs, { asked, answered: now() })) <= SKEW_MS;
}
