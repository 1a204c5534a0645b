import { once } from "node:events";
import { connect } from "node:net";
import type { InstanceAsk } from "@ployz/primitives/protocol";
import type { Attached, Runtime } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";

const CONNECT_MS = 10_000;

/** @throws PloyzError `instance_not_running`. */
export async function needRunning(runtime: Runtime, id: string): Promise<string> {
  const { state, address } = await runtime.inspect(id);
  if (state === "running" && address !== undefined) return address;
  throw new PloyzError({
    code: "instance_not_running",
    message: `instance ${id} is not running`,
    hint: "see why: ployzctl ps; ployzctl logs",
  });
}

/** Starts the program, or opens the connection, in an instance of this machine. */
export async function openProgram(
  runtime: Runtime,
  ask: Exclude<InstanceAsk, { kind: "run" }>,
): Promise<Attached> {
  const address = await needRunning(runtime, ask.id);
  if (ask.kind === "forward") return openConnection(address, ask.port);
  const { terminal, term = "xterm" } = ask;
  return runtime.attach(ask.id, ask.argv, terminal === undefined ? {} : { terminal, env: { TERM: term } });
}

/** A connection as a program: its input and output are the two directions. */
async function openConnection(host: string, port: number): Promise<Attached> {
  const socket = connect({ host, port, allowHalfOpen: true, timeout: CONNECT_MS });
  socket.once("timeout", () => socket.destroy(new Error(`no answer within ${CONNECT_MS} ms`)));
  await once(socket, "connect").catch((error: Error) => {
    throw new PloyzError(
      {
        code: "port_closed",
        message: `the instance does not accept connections on port ${port} (${error.message})`,
        hint: "the program must listen on 0.0.0.0 or its own address, not on 127.0.0.1",
      },
      { cause: error },
    );
  });
  socket.setTimeout(0);
  const done = new Promise<{ exitCode: number }>((resolve) =>
    socket.once("close", () => resolve({ exitCode: 0 })),
  );
  const none = () => Promise.resolve();
  return {
    ...{ stdin: socket, stdout: socket, pid: undefined, done, resize: none, signal: none },
    async kill() {
      socket.destroy();
    },
  };
}
