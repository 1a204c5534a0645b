import type { TokenPort, TokenRecord } from "@ployz/primitives/protocol";
import type { Records } from "../state/records.ts";

/** Tokens, and where machines take them, as this machine's copy of the facts has them. */
export interface TokenFacts {
  records(): readonly TokenRecord[];
  ports(): ReadonlyMap<string, TokenPort>;
  /** Calls after each change of the tokens. */
  onChange(listener: () => void): void;
  /** Resolves when all of these machines take tokens, after `ms` at the latest. */
  whenOpen(machines: readonly string[], ms: number): Promise<void>;
}

export function tokenFacts(mirror: Pick<Records, "facts" | "onChange">): TokenFacts {
  const ports = () =>
    new Map(mirror.facts("token-port").map(({ key, value }) => [key.slice("token-port.".length), value]));
  const changes = (prefix: string, listener: () => void) =>
    mirror.onChange((change) => {
      if (change.type === "fact" && change.key.startsWith(prefix)) listener();
    });
  return {
    records: () => mirror.facts("token").map(({ value }) => value),
    ports,
    onChange: (listener) => void changes("token.", listener),
    whenOpen: (machines, ms) =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          stop();
          resolve();
        };
        const look = () => {
          const open = ports();
          if (machines.every((one) => open.has(one))) done();
        };
        const timer = setTimeout(() => done(), ms);
        const stop = changes("token-port.", look);
        look();
      }),
  };
}
