import { run } from "../run.ts";

/** What this process tells the supervisor that started it; nothing where none asked (sd_notify(3)). */
export interface Notifier {
  /** It serves from now on; where the supervisor watches it, signs of life follow until the process ends or hangs. */
  ready(): Promise<void>;
}

/**
 * Takes the supervisor's socket out of the environment, so that no program that this process starts can speak for it. Node has no datagram
 * sockets of Unix: systemd-notify(1) sends.
 */
export function takeNotifier(env: NodeJS.ProcessEnv, failed: (error: unknown) => void): Notifier {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdog } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  const tell = async (...words: readonly string[]) => {
    if (socket === undefined) return;
    await run("systemd-notify", words, { env: { NOTIFY_SOCKET: socket }, timeoutMs: 10_000 }).catch(failed);
  };
  return {
    async ready() {
      await tell("--ready");
      const limitMs = Number(watchdog ?? 0) / 1000;
      if (limitMs > 0) setInterval(() => void tell("WATCHDOG=1"), limitMs / 4).unref();
    },
  };
}
