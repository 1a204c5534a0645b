import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { findProgram, run, spawnStream } from "@ployz/exec";
import { type RepositoryAt, type SecretRef, type Store, secretKey } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { Leftovers } from "../streams/leftovers.ts";
import { type Access, accessOf } from "./credentials.ts";
import { failureOf, isVain } from "./failure.ts";

export interface ResticDeps {
  readonly store: Pick<Store, "facts">;
  readonly secrets: { read(refs: readonly SecretRef[]): Promise<readonly string[]> };
  /** Keys of ssh lie here while restic runs; gone after a reboot. */
  readonly keys: string;
  readonly cache: string;
  readonly leftovers: Pick<Leftovers, "note">;
}

/** restic on one repository: restic(1). */
export interface Restic {
  /** Of the repository. */
  readonly password: string;
  /** Its output. @throws PloyzError, one code for each way to fail. */
  run(args: readonly string[], options: { signal: AbortSignal; timeoutMs?: number }): Promise<string>;
  /**
   * A run that may take long. `line`: each line of output; the run ends with the error that it throws. `input`: its stdin. `read`: takes
   * its output as it is, instead of lines.
   */
  follow(
    args: readonly string[],
    options: {
      signal: AbortSignal;
      cwd?: string;
      line?(text: string): void;
      input?: Readable;
      read?(output: Readable): Promise<unknown>;
    },
  ): Promise<void>;
}

const MINUTE = 60_000;
/** restic tries again for a quarter of an hour, also where that cannot help. */
const VAIN_TRIES = 3;
/** Time for a program that was interrupted to remove its lock. */
const GRACE_MS = 10_000;

/** Its version; `undefined`: it is not installed. */
export async function resticVersion(): Promise<string | undefined> {
  if ((await findProgram("restic")) === undefined) return undefined;
  const { stdout } = await run("restic", ["version"]);
  return /^restic ([0-9.]+)/.exec(stdout)?.[1] ?? "unknown";
}

/** Runs the task with access to a repository: its secret is fetched each time, and kept nowhere. */
export async function withRestic<T>(
  deps: ResticDeps,
  repository: RepositoryAt,
  task: (restic: Restic) => Promise<T>,
): Promise<T> {
  const access = accessOf(repository, await secretOf(deps, repository));
  const folder = join(deps.keys, randomBytes(8).toString("hex"));
  try {
    const options = await optionsOf(access, folder);
    return await task(resticOn(deps, repository, access, options));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function secretOf({ store, secrets }: ResticDeps, { secret, name }: RepositoryAt): Promise<string> {
  const fact = await store.facts.get(secretKey(secret));
  if (fact === undefined)
    throw new PloyzError({
      code: "secret_missing",
      message: `the repository ${name} needs the secret ${secret.namespace}/${secret.name}, which is not set`,
      hint: `set it, from stdin: ployzctl secret set ${secret.namespace}/${secret.name}`,
    });
  const [value = ""] = await secrets.read([{ ...secret, version: fact.value.version }]);
  return value;
}

/** ssh must not ask: the daemon has no terminal. */
async function optionsOf({ ssh }: Access, folder: string): Promise<readonly string[]> {
  if (ssh === undefined) return [];
  const { destination, key, knownHosts } = ssh;
  const words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"];
  const file = async (name: string, text: string) => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  if (key !== undefined) words.push("-o", "IdentitiesOnly=yes", "-i", await file("key", key));
  if (knownHosts !== undefined)
    words.push("-o", `UserKnownHostsFile=${await file("known_hosts", knownHosts)}`);
  return ["-o", `sftp.command=${[...words, ...destination, "-s", "sftp"].join(" ")}`];
}

function resticOn(
  { cache, leftovers }: ResticDeps,
  repository: RepositoryAt,
  { env: secret, hidden }: Access,
  fixed: readonly string[],
): Restic {
  const env: Readonly<Record<string, string>> = {
    ...secret,
    RESTIC_CACHE_DIR: cache,
    RESTIC_PROGRESS_FPS: "1",
    TZ: "UTC",
  };
  return {
    password: env.RESTIC_PASSWORD ?? "",
    async run(args, { signal, timeoutMs = MINUTE }) {
      try {
        const options = { env, redact: hidden, timeoutMs, signal };
        return (await run("restic", [...fixed, ...args], options)).stdout;
      } catch (error) {
        throw failureOf(error, repository);
      }
    },
    async follow(args, { signal, cwd, line, input, read: take }) {
      signal.throwIfAborted();
      const program = spawnStream("restic", [...fixed, ...args], {
        ...{ env, redact: hidden },
        ...(cwd !== undefined && { cwd }),
      });
      let late: NodeJS.Timeout | undefined;
      const stop = () => {
        program.kill("SIGINT");
        late ??= setTimeout(() => program.kill("SIGKILL"), GRACE_MS);
      };
      signal.addEventListener("abort", stop, { once: true });
      // At once: a program that ends early takes its streams with it, and output without a reader is thrown away.
      const unread: unknown[] = [];
      const vain = (error: unknown) => {
        unread.push(error);
        stop();
      };
      const read =
        take === undefined
          ? eachLine(program.stdout, (text) => {
              try {
                if (unread.length === 0) line?.(text);
              } catch (error) {
                vain(error);
              }
            })
          : take(program.stdout.pipe(new PassThrough())).catch(vain);
      let left = VAIN_TRIES;
      createInterface({ input: program.stderr }).on("line", (text) => {
        if (isVain(text) && --left === 0) stop();
      });
      const forget = await leftovers.note(program.pid);
      try {
        if (input === undefined) program.stdin.end();
        // A program that ends early says why by itself.
        else
          pipeline(input, program.stdin).catch(
            (error: NodeJS.ErrnoException) => error.code === "EPIPE" || vain(error),
          );
        await program.done;
        await read;
        for (const error of unread) throw error;
      } catch (error) {
        signal.throwIfAborted();
        throw unread[0] ?? failureOf(error, repository);
      } finally {
        signal.removeEventListener("abort", stop);
        clearTimeout(late);
        await forget();
      }
    },
  };
}

const eachLine = (input: Readable, line: (text: string) => void): Promise<unknown> =>
  once(createInterface({ input }).on("line", line), "close");
