import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, openServiceHost, run, signalProcess, spawnDetached, stopS6 } from "@ployz/exec";

// Run one program to completion: arguments are passed unchanged, without a shell.
const { stdout } = await run("echo", ["$(date)", "; rm -rf /"], { timeoutMs: 5_000 });

// A process that outlives this one, identified by more than its pid.
const dir = await mkdtemp(join(tmpdir(), "sleeper-"));
const sleeper = await spawnDetached("sleep", ["300"], { logFile: join(dir, "log") });
const ended = (await isAlive(sleeper)) && (await signalProcess(sleeper, "SIGKILL"));

// A service that is restarted when it dies: by systemd where it runs, else by s6.
const services = await openServiceHost({ kind: "s6", dir: join(dir, "scan"), logDir: join(dir, "logs") });
const first = await services.ensure({
  name: "nap",
  description: "sleeps",
  argv: ["sleep", "300"],
  restart: "always",
});
const again = await services.ensure({
  name: "nap",
  description: "sleeps",
  argv: ["sleep", "300"],
  restart: "always",
});
await stopS6(join(dir, "scan"));
await rm(dir, { recursive: true });

export { again, ended, first, stdout };
