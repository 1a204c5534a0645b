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
  const { local, port } = ports(input.argument("ports") ?? "");
  const address = input.text("address") ?? "127.0.0.1";
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => {}); // the stream ends with it
    socket.once("close", () => open.delete(socket));
    carry(context, socket, { ...target, port }).catch((error: unknown) => {
      context.progress.note(`connection refused: ${errorBody(error).message}`);
      socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const message = `cannot listen on ${address}:${local} (${error.code})`;
      reject(new PloyzError({ code: "port_taken", message, hint: "name another local port: LOCAL:PORT" }));
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

/** `PORT` or `LOCAL:PORT`; LOCAL 0 takes any free one. */
function ports(text: string): { readonly local: number; readonly port: number } {
  const [, local, port] = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text) ?? [];
  const found = { local: Number(local ?? port), port: Number(port) };
  if (port === undefined || found.port < 1 || Math.max(found.local, found.port) > 65_535)
    throw usage(
      `PORTS: ${JSON.stringify(text.slice(0, 20))} is not PORT or LOCAL:PORT`,
      "for example 5432 or 15432:5432",
    );
  return found;
}
