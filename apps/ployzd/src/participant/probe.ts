import { request } from "node:http";
import { connect } from "node:net";
import type { Probe } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import { askGrpc } from "./grpc-health.ts";

/** An instance and the question to it. */
export interface Asked {
  readonly id: string;
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly probe: Probe;
}

/** Asks once. `undefined`: the answer was good. Otherwise the reason. */
export function probe(
  runtime: Pick<Runtime, "exec">,
  { id, address, ports, probe: asked }: Asked,
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<string | undefined> {
  if (asked.kind === "exec") return askProgram(runtime, { id, argv: asked.argv }, { ms, signal });
  const port = ports[asked.port] ?? 0;
  if (asked.kind === "http") return askHttp(address, port, asked, ms);
  return asked.kind === "grpc"
    ? askGrpc({ address, port, service: asked.service }, ms)
    : askTcp(address, port, ms);
}

async function askProgram(
  runtime: Pick<Runtime, "exec">,
  { id, argv }: { readonly id: string; readonly argv: readonly string[] },
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const name = argv.join(" ").slice(0, 60);
  try {
    const { exitCode, stdout, stderr } = await runtime.exec(id, argv, {
      ...{ signal, timeoutMs: Math.max(1, Math.floor(ms)) },
    });
    const [said = ""] = `${stderr}\n${stdout}`.trim().split("\n");
    return exitCode === 0
      ? undefined
      : `${name} ended with exit code ${exitCode}${said === "" ? "" : `: ${said.slice(0, 200)}`}`;
  } catch (error) {
    signal.throwIfAborted();
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The gateways' checks ask the same. */
function askHttp(
  address: string,
  port: number,
  { path, host = "localhost", headers = {}, status }: Extract<Probe, { kind: "http" }>,
  timeoutMs: number,
): Promise<string | undefined> {
  const good = (code: number) => status?.includes(code) ?? (code >= 200 && code < 400);
  return new Promise((resolve) => {
    const asking = request(
      // The option counts from now; a request's `setTimeout` counts only once it is connected, and a crashed instance may drop every
      // packet.
      {
        ...{ host: address, port, path, agent: false, timeout: timeoutMs },
        headers: { host, "user-agent": "ployz-readiness", ...headers },
      },
      (response) => {
        response.resume();
        const { statusCode = 0 } = response;
        resolve(good(statusCode) ? undefined : `GET ${path} answered ${statusCode}`);
      },
    );
    asking.on("timeout", () => asking.destroy(new Error(`no answer within ${Math.round(timeoutMs)} ms`)));
    asking.on("error", (error) => resolve(`GET ${path} on port ${port}: ${error.message}`));
    asking.end();
  });
}

function askTcp(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (why: string | undefined) => {
      socket.destroy();
      resolve(why);
    };
    socket.setTimeout(timeoutMs, () => end(`port ${port} did not answer`));
    socket.once("connect", () => end(undefined));
    socket.once("error", (error) => end(`port ${port}: ${error.message}`));
  });
}
