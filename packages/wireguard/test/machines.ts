import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { run, spawnStream } from "@ployz/exec";
import { build } from "tsup";
import type { AgentMethods } from "./agent.ts";

type Remote = {
  readonly [M in keyof AgentMethods]: (
    ...args: Parameters<AgentMethods[M]>
  ) => Promise<Awaited<ReturnType<AgentMethods[M]>>>;
};

export interface Machine {
  readonly underlay: string;
  readonly dir: string;
  readonly call: Remote;
}

/**
 * Simulated machines on one switch: each its own network, mount and pid namespace, with private /run and a reaping init. They live as long
 * as the stdin of their first process is open, so nothing outlives the test.
 */
export async function startMachines(count: number): Promise<{ machines: Machine[]; stop(): Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), "ployz-wireguard-"));
  const source = new URL("./agent.ts", import.meta.url).pathname;
  await build({
    entry: [source],
    outDir: home,
    format: "esm",
    target: "node20",
    config: false,
    silent: true,
    noExternal: [/.*/],
    outExtension: () => ({ js: ".mjs" }),
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    esbuildOptions: (options) => {
      options.conditions = ["@ployz/source"];
    },
  });
  const namespace = (...command: string[]) =>
    spawnStream("unshare", [
      "--net",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      ...command,
    ]);
  const hub = namespace("sh", "-c", "echo ready; exec cat >/dev/null");
  await firstLine(hub.stdout);
  const inHub = (...args: string[]) => run("nsenter", ["-t", String(hub.pid), "-n", "ip", ...args]);
  await inHub("link", "add", "sw0", "type", "bridge");
  await inHub("link", "set", "sw0", "up");

  const boot = 'mount -t tmpfs none /run && exec tini -s -- node "$0/agent.mjs" "$1"';
  const started = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const dir = join(home, `m${index + 1}`);
      const init = namespace("sh", "-c", boot, home, dir);
      const { call, ready } = remote(init);
      await ready;
      const underlay = `192.0.2.${index + 1}`;
      const own = (...args: string[]) => run("nsenter", ["-t", String(init.pid), "-n", "ip", ...args]);
      await inHub(
        "link",
        "add",
        `p${index}`,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        String(init.pid),
      );
      await inHub("link", "set", `p${index}`, "master", "sw0", "up");
      await own("link", "set", "lo", "up");
      await own("addr", "add", `${underlay}/24`, "dev", "eth0");
      await own("link", "set", "eth0", "up");
      return { init, machine: { underlay, dir, call } };
    }),
  );
  return {
    machines: started.map(({ machine }) => machine),
    async stop() {
      const all = [hub, ...started.map(({ init }) => init)];
      for (const process of all) process.stdin.end();
      await Promise.all(all.map((process) => process.done.catch(() => {})));
      await rm(home, { recursive: true, force: true });
    },
  };
}

function remote({ stdin, stdout, stderr }: ReturnType<typeof spawnStream>): {
  call: Remote;
  ready: Promise<void>;
} {
  type Reply = { id: number; result?: unknown; error?: { code?: string; message: string; stack?: string } };
  const waiting = new Map<number, (reply: Reply) => void>();
  let next = 0;
  stderr.on("data", (chunk: Buffer) => process.stderr.write(chunk));
  const ready = new Promise<void>((resolve) => waiting.set(0, () => resolve()));
  createInterface({ input: stdout }).on("line", (line) => {
    const reply = JSON.parse(line) as Reply;
    waiting.get(reply.id)?.(reply);
    waiting.delete(reply.id);
  });
  const call = new Proxy({} as Remote, {
    get: (_, method) =>
      method === "then"
        ? undefined
        : (...args: unknown[]) =>
            new Promise((resolve, reject) => {
              const id = ++next;
              waiting.set(id, ({ result, error }) =>
                error === undefined
                  ? resolve(result)
                  : reject(
                      Object.assign(new Error(error.message), { code: error.code, remote: error.stack }),
                    ),
              );
              stdin.write(`${JSON.stringify({ id, method, args })}\n`);
            }),
  });
  return { call, ready };
}

function firstLine(stream: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve) => stream.once("data", () => resolve()));
}
