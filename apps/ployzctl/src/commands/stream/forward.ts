import { createServer, type Socket } from "node:net";
import { errorBody } from "@ployz/errors";
import type { Context, Input } from "../../command.ts";
import type { TextDocument } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { type InstanceTarget, needInstance } from "./target.ts";

/** Listens on this computer until Ctrl-C; each connection is a stream of its own to the instance. */
export async function forward(context: Context, input: Input): Promise<TextDocument> {
  const target = await needInstance("INSTANCE", input.argument("instance"));
  const { local, port } = await resolved(context, target, ports(input.argument("ports") ?? ""));
  const address = input.text("address") ?? "127.0.0.1";
  const open = new Set<Socket>();
  let closing = false;
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => {}); // the stream ends with it
    socket.once("close", () => open.delete(socket));
    carry(context, socket, { ...target, port }).catch((error: unknown) => {
      if (!closing) context.progress.note(`connection refused: ${errorBody(error).message}`);
      socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const message = `cannot listen on ${address}:${local} (${error.code})`;
      const hint = ["EADDRINUSE", "EACCES"].includes(error.code ?? "")
        ? "name another local port: LOCAL:PORT"
        : "name an address of this computer: --address ADDRESS";
      reject(new PloyzError({ code: "port_taken", message, hint }));
    });
    server.listen(local, address, resolve);
  });
  const bound = server.address();
  const shown = typeof bound === "object" && bound !== null ? bound.port : local;
  const { namespace, service, slot } = target;
  const name = `${namespace}/${service}${slot === undefined ? "" : `.${slot}`}`;
  context.progress.note(`forwarding ${address}:${shown} to ${name} port ${port}; Ctrl-C ends it`);
  await new Promise<void>((resolve) => {
    context.terminal.onInterrupt(resolve);
    context.terminal.onSignal("SIGTERM", resolve);
    context.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  closing = true;
  server.close();
  for (const socket of open) socket.destroy();
  return { kind: "text", text: "" };
}

async function carry(
  { client, terminal, signal }: Context,
  socket: Socket,
  to: InstanceTarget & { readonly port: number },
): Promise<void> {
  const stream = await (await client()).open({ kind: "forward", ...to, by: terminal.by }, signal);
  socket.once("close", () => stream.close());
  stream.input.on("error", () => socket.destroy());
  socket.pipe(stream.input);
  try {
    await stream.pump({ output: socket, errors: socket, onEnd: () => socket.end() });
  } finally {
    socket.end();
  }
}

interface Ports {
  /** Absent: the same as the port of the instance. */
  readonly local?: number;
  /** A number, or the name of a port of the manifest. */
  readonly port: string;
}

/** `PORT` or `LOCAL:PORT`; LOCAL 0 takes any free one. */
function ports(text: string): Ports {
  const [, local, port] = /^(?:(\d{1,5}):)?(\d{1,5}|[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)$/.exec(text) ?? [];
  const outside = (number: string | undefined, least: number) =>
    number !== undefined && !(Number(number) >= least && Number(number) <= 65_535);
  if (port === undefined || outside(local, 0) || (/^\d/.test(port) && outside(port, 1)))
    throw usage(
      `PORTS: ${JSON.stringify(text.slice(0, 20))} is not PORT or LOCAL:PORT`,
      "for example 5432, 15432:5432 or a port of the manifest: 8080:http",
    );
  return { port, ...(local !== undefined && { local: Number(local) }) };
}

/** Before anything listens. @throws PloyzError `no_such_service`, `invalid_input`. */
async function resolved(
  context: Context,
  { namespace, service }: InstanceTarget,
  { local, port }: Ports,
): Promise<{ readonly local: number; readonly port: number }> {
  const client = await context.client();
  const { signal } = context;
  const { namespaces } = await client.request("GET /v1/names", { signal });
  const known = namespaces.find((one) => one.namespace === namespace)?.services ?? [];
  if (!known.includes(service))
    throw new PloyzError({
      code: "no_such_service",
      message: `nothing is deployed as ${namespace}/${service}`,
      hint: known.length > 0 ? `services of ${namespace}: ${known.join(", ")}` : "ployzctl ps",
    });
  if (/^\d/.test(port)) return { local: local ?? Number(port), port: Number(port) };
  const params = { ns: namespace, commit: "last" };
  const { commit } = await client.request("GET /v1/namespaces/:ns/commits/:commit", { params, signal });
  const named = commit.services[service]?.spec.ports ?? {};
  const number = Object.hasOwn(named, port) ? named[port] : undefined;
  if (number === undefined)
    throw usage(
      `PORTS: ${namespace}/${service} has no port ${port}`,
      Object.keys(named).length > 0
        ? `it has ${Object.entries(named)
            .map(([name, at]) => `${name} (${at})`)
            .join(", ")}`
        : "name a number",
    );
  return { local: local ?? number, port: number };
}
