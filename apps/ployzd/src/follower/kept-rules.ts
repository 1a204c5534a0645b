import type { Logger } from "pino";
import { POLICY_CHECK_MS } from "../mesh/substrate.ts";
import { serialise } from "../state/files.ts";

/** Rules of this machine's packet filter that outlive their writer. */
export interface KeptRules {
  /** Changes the wanted rules, and puts them in effect; in turn with every look. */
  apply(change: () => void): Promise<void>;
  /** Why the wanted rules are not in effect; `undefined` when they are. */
  failed(): string | undefined;
  /** `there`: no other program has changed the rules since they were applied. */
  view<T>(read: (state: { readonly there: boolean }) => T): Promise<T>;
  close(): void;
}

/** Why rules that are not there are not served. */
export const PUT_BACK = "its rules were changed; they are put back within 20 s";

/** Puts rules in effect when they change, and again every 20 s where another program has changed them or an earlier attempt failed. */
export function keepRules<Rules>({
  name,
  wanted,
  ports,
  apply,
  printed,
  upkeep,
  log,
}: {
  /** For the log: `host ports`. */
  readonly name: string;
  /** `undefined`: not known yet. */
  readonly wanted: () => Rules | undefined;
  /** For the log; none: the rules are empty. */
  readonly ports: () => readonly (string | number)[];
  /** Resolves with the rules as the packet filter prints them. */
  readonly apply: (rules: Rules) => Promise<string>;
  /** Those in effect now. */
  readonly printed: () => Promise<string>;
  /** For settings beside the rules, every 20 s. */
  readonly upkeep?: () => Promise<void>;
  readonly log: Logger;
}): KeptRules {
  const inTurn = serialise();
  let failed: string | undefined;
  let loaded: { readonly text: string; readonly printed: string } | undefined;
  const load = async (): Promise<void> => {
    const rules = wanted();
    if (rules === undefined) return;
    const text = JSON.stringify(rules);
    if (loaded?.text === text) return;
    loaded = undefined;
    try {
      loaded = { text, printed: await apply(rules) };
      failed = undefined;
      if (ports().length > 0) log.info({ ports: ports() }, name);
    } catch (error) {
      failed = error instanceof Error ? error.message : String(error);
      log.error({ err: error }, name);
    }
  };
  const look = async (): Promise<void> => {
    if (loaded !== undefined && (await printed()) !== loaded.printed) {
      log.error(`the rules of ${name} were changed or gone; they are applied again`);
      loaded = undefined;
    }
    await load();
    await upkeep?.();
  };
  const timer = setInterval(
    () => void inTurn(look).catch((error: unknown) => log.error({ err: error }, name)),
    POLICY_CHECK_MS,
  );
  return {
    apply: (change) =>
      inTurn(async () => {
        change();
        await load();
      }),
    failed: () => failed,
    view: (read) => inTurn(async () => read({ there: (await printed()) === loaded?.printed })),
    close: () => clearInterval(timer),
  };
}
