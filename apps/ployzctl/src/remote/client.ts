import { Agent } from "node:http";
import type { Duplex } from "node:stream";
import { errorBody } from "@ployz/errors";
import { type Client, openClient } from "@ployz/primitives/client";
import { PloyzError } from "../error-codes.ts";
import type { Terminal } from "../terminal.ts";
import { forwardAgent } from "./agent.ts";
import { openContainer } from "./container.ts";
import type { Destination } from "./destination.ts";
import { type Dialed, dial } from "./dial.ts";
import { needHost, type RemoteHost } from "./host.ts";
import { openSsh, type Remote } from "./ssh.ts";

/** A machine that does not take a connection within this counts as down. Milliseconds. */
const DIAL_MS = 10_000;
/** Another machine of the cluster may answer where this is why one does not. */
const DOWN = ["ssh_unreachable", "container_stopped", "daemon_unreachable", "remote_not_installed"];

export interface RemoteClient {
  readonly client: Client;
  /** The socket of this computer's SSH agent on that machine, until `close`. */
  agent(): Promise<string>;
  close(): void;
}

/** The API of a daemon that is reached through SSH: of the first machine that answers, one with an open connection first. */
export async function openRemoteClient(
  { name, hosts }: Destination,
  terminal: Terminal,
  options: { readonly signal: AbortSignal; readonly note: (text: string) => void },
): Promise<RemoteClient> {
  const errors: unknown[] = [];
  for (const ssh of await openFirst(name, hosts, terminal)) {
    try {
      return clientOf(ssh, await reach(ssh, options.signal));
    } catch (error) {
      if (!DOWN.includes(errorBody(error).code) || options.signal.aborted) throw error;
      if (errors.push(error) < hosts.length)
        options.note(`${errorBody(error).message}; trying the next machine of ${name}`);
    }
  }
  if (errors.length === 1) throw errors[0];
  throw new PloyzError({
    code: "ssh_unreachable",
    message: `no machine of ${name} answers: ${errors.map((error) => errorBody(error).message).join("; ")}`,
    hint: `ployzctl context show ${name}`,
  });
}

const openHost = async (host: RemoteHost, terminal: Terminal): Promise<Remote> =>
  "container" in host ? openContainer(host) : openSsh(host, terminal);

async function openFirst(
  name: string,
  hosts: readonly string[],
  terminal: Terminal,
): Promise<readonly Remote[]> {
  const all = await Promise.all(hosts.map((host) => openHost(needHost(name, host), terminal)));
  if (all.length === 1) return all;
  const open = await Promise.all(all.map((ssh) => ssh.isOpen()));
  return [...all.filter((_, at) => open[at]), ...all.filter((_, at) => !open[at])];
}

async function reach(ssh: Remote, signal: AbortSignal): Promise<Duplex> {
  await ssh.login(signal);
  const { stream, ready } = dial(ssh);
  const silent = setTimeout(() => {
    void ssh.end().catch(() => {}); // its machine may have lost power: the next command logs in again
    stream.destroy(
      new PloyzError({
        code: "ssh_unreachable",
        message: `${ssh.name}: no answer within ${DIAL_MS / 1000} s`,
      }),
    );
  }, DIAL_MS);
  const abort = () => void stream.destroy(new PloyzError({ code: "aborted", message: "aborted" }));
  signal.addEventListener("abort", abort, { once: true });
  stream.on("error", () => {}); // `ready` fails with it
  try {
    await ready;
    return stream;
  } finally {
    clearTimeout(silent);
    signal.removeEventListener("abort", abort);
  }
}

/** Requests that follow one another share a connection, since each costs a program there. */
function clientOf(ssh: Remote, reached: Duplex): RemoteClient {
  const all = new Set<Duplex>();
  const keep = (stream: Duplex): Duplex => {
    all.add(stream);
    stream.once("close", () => all.delete(stream));
    return stream;
  };
  let spare: Duplex | undefined = keep(reached);
  const connect = (): Duplex => {
    const stream: Dialed["stream"] = spare ?? keep(dial(ssh).stream);
    spare = undefined;
    return stream;
  };
  const agent = new Agent({ keepAlive: true });
  agent.createConnection = connect;
  let far: ReturnType<typeof forwardAgent> | undefined;
  return {
    client: openClient({ connect, agent, name: ssh.name }),
    async agent() {
      far ??= forwardAgent(ssh);
      return (await far).socket;
    },
    close: () => {
      far?.then(
        (one) => one.close(),
        () => {},
      );
      agent.destroy();
      for (const stream of all) stream.destroy();
    },
  };
}
