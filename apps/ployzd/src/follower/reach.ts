import { connect } from "node:net";

/** Which of some instances are reached. UDP has no check of its own, and an instance that is gone would take its part of the flows. */
export interface Reach {
  /** Asks these from now on. New ones count as reached. */
  watch(servers: readonly Place[]): void;
  isDown(server: Place): boolean;
  close(): void;
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

export interface ReachOptions {
  readonly changed: () => void;
  readonly answers?: (server: Place, timeoutMs: number) => Promise<boolean>;
  /** Default 1,000 ms. */
  readonly intervalMs?: number;
}

/** So many questions in a row without an answer: out. The first answer: in. */
const FAILURES = 3;

export function openReach({ changed, answers = answersTcp, intervalMs = 1_000 }: ReachOptions): Reach {
  let failures = new Map<string, number>();
  let watched: readonly Place[] = [];
  let asking = false;
  const isDown = (server: Place): boolean => (failures.get(keyOf(server)) ?? 0) >= FAILURES;
  const round = async (): Promise<void> => {
    const asked = watched;
    const before = asked.map(isDown);
    await Promise.all(
      asked.map(async (server) => {
        const good = await answers(server, intervalMs);
        const key = keyOf(server);
        if (failures.has(key)) failures.set(key, good ? 0 : (failures.get(key) ?? 0) + 1);
      }),
    );
    if (asked.some((server, at) => isDown(server) !== before[at])) changed();
  };
  const timer = setInterval(() => {
    if (asking || watched.length === 0) return;
    asking = true;
    void round().finally(() => {
      asking = false;
    });
  }, intervalMs);
  return {
    watch(servers) {
      watched = [...new Map(servers.map((server) => [keyOf(server), server])).values()];
      failures = new Map(watched.map((server) => [keyOf(server), failures.get(keyOf(server)) ?? 0]));
    },
    isDown,
    close: () => clearInterval(timer),
  };
}

const keyOf = ({ address, port }: Place): string => `${address}:${port}`;

/** A port without a listener is refused by the kernel of the instance: the instance is there. */
export function answersTcp({ address, port }: Place, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (there: boolean) => {
      socket.destroy();
      resolve(there);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.on("connect", () => end(true));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      end(error.code === "ECONNREFUSED" || error.code === "ECONNRESET"),
    );
  });
}
