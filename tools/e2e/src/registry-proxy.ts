import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, spawnStream, waitFor } from "@ployz/exec";
import type { Lab } from "@ployz/lab";
import { fixtures } from "./cluster.ts";

/** What happens to GETs whose path matches, instead of a plain answer. */
export interface FaultRule {
  /** A regular expression. */
  readonly path: string;
  /** For so many of them; default all. */
  readonly times?: number;
  /** Answered in place of the registry. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** One byte of the body is another. */
  readonly corrupt?: true;
  /** The connection ends after this part of the body. */
  readonly cut?: number;
}

export interface Faults {
  readonly rules?: readonly FaultRule[];
  /** Bearer tokens are needed, each good for so many requests. */
  readonly token?: { readonly uses: number };
}

/** A way to a plain registry of the lab that has faults. */
export interface RegistryProxy extends AsyncDisposable {
  readonly host: string;
  /** From now on. Counts of `times` begin again. */
  faults(faults: Faults): Promise<void>;
  /** `STATUS PATH RANGE` of each answer since the last call of `faults`; without a range `-`. */
  answered(): readonly string[];
}

export async function openProxy(
  lab: Lab,
  { port, upstream }: { readonly port: number; readonly upstream: string },
): Promise<RegistryProxy> {
  const dir = await mkdtemp(join(tmpdir(), "ployz-proxy-"));
  const file = join(dir, "faults.json");
  const host = `${lab.clientAddress}:${port}`;
  let id = 0;
  let answered: string[] = [];
  const faults = async (next: Faults) => {
    answered = [];
    await writeFile(file, JSON.stringify({ id: ++id, ...next }));
  };
  await faults({});
  const inLab = `--net=/run/netns/plab-${lab.name}`;
  const program = [inLab, process.execPath, join(fixtures, "registry-proxy.mjs")];
  const env = { LISTEN: host, UPSTREAM: upstream, FAULTS: file };
  const server = spawnStream("nsenter", program, { env });
  server.done.catch(() => {}); // it ends with the test
  let rest = "";
  server.stdout.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    answered.push(...lines);
  });
  await waitFor(
    "the proxy",
    () =>
      run("nsenter", [inLab, "curl", "-sS", `http://${host}/v2/`]).then(
        () => true,
        () => undefined,
      ),
    { timeoutMs: 20_000, intervalMs: 100 },
  );
  return {
    ...{ host, faults },
    answered: () => answered,
    async [Symbol.asyncDispose]() {
      server.kill("SIGTERM");
      await server.done.catch(() => {});
      await rm(dir, { recursive: true, force: true });
    },
  };
}
