import { homedir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair, pipeline } from "node:stream";
import { type Client, openClient } from "@ployz/primitives/client";
import ssh2, { type ConnectConfig, type Client as SshClient } from "ssh2";
import { findIdentity } from "../commands/machine/identity.ts";
import { PloyzError } from "../error-codes.ts";
import { usage } from "../errors.ts";
import type { Terminal } from "../terminal.ts";
import { fingerprint, isKnownHost } from "./known-hosts.ts";

const CONNECT_MS = 10_000;
const REMOTE_SOCKET = "/run/ployz/ployzd.sock";

/** The API of another machine's daemon: its socket, forwarded over SSH. */
export async function openRemoteClient(
  target: string,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<{ client: Client; close(): void }> {
  const ssh = await connect(target, terminal, signal);
  const open = (): Duplex => {
    const [near, far] = duplexPair();
    near.once("close", () => far.destroy());
    ssh.openssh_forwardOutStreamLocal(REMOTE_SOCKET, (error, channel) => {
      if (error) near.destroy(Object.assign(new Error(error.message), { code: "ECONNREFUSED" }));
      else {
        pipeline(far, channel, () => {});
        pipeline(channel, far, () => {});
      }
    });
    return asSocket(near);
  };
  return {
    client: openClient({ connect: open, name: `${target}:${REMOTE_SOCKET}` }),
    close: () => {
      ssh.end();
    },
  };
}

/** The socket methods that node:http calls on a connection; the SSH connection has its own timeouts. */
function asSocket(stream: Duplex): Duplex {
  const same = () => stream;
  return Object.assign(stream, {
    setTimeout: same,
    setNoDelay: same,
    setKeepAlive: same,
    ref: same,
    unref: same,
  });
}

async function connect(target: string, terminal: Terminal, signal: AbortSignal): Promise<SshClient> {
  const { parseTarget } = await import("@ployz/primitives/protocol");
  const parsed = parseTarget(target);
  if (parsed === undefined) throw usage(`--host: ${JSON.stringify(target.slice(0, 80))} is not user@machine`);
  const { user, host, port } = parsed;
  const { identity, agentSocket } = await findIdentity(undefined, terminal);
  const known = [join(terminal.env.HOME ?? homedir(), ".ssh/known_hosts"), "/etc/ssh/ssh_known_hosts"];
  let unknownKey: string | undefined;
  const config: ConnectConfig = {
    host,
    port,
    username: user,
    readyTimeout: CONNECT_MS,
    keepaliveInterval: 5_000,
    ...(identity !== undefined && { privateKey: identity }),
    ...(agentSocket !== undefined && { agent: agentSocket }),
    hostVerifier: (key: Buffer, answer: (ok: boolean) => void) => {
      isKnownHost(known, host, port, key).then(
        (ok) => {
          if (!ok) unknownKey = fingerprint(key);
          answer(ok);
        },
        () => answer(false),
      );
    },
  };
  const client = new ssh2.Client();
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      client.destroy();
      reject(new PloyzError({ code: "ssh_unreachable", message: `${target}: no answer before the timeout` }));
    };
    signal.addEventListener("abort", abort, { once: true });
    client.once("ready", resolve);
    client.once("error", (error) => reject(explain(target, error, unknownKey)));
    client.connect(config);
  });
  client.on("error", () => {}); // a later loss fails the streams
  return client;
}

function explain(
  target: string,
  error: Error & { level?: string },
  unknownKey: string | undefined,
): PloyzError {
  if (unknownKey !== undefined) {
    return new PloyzError({
      code: "ssh_host_key_unknown",
      message: `${target}: unknown or changed host key ${unknownKey}`,
      hint: `connect once and compare the fingerprint: ssh ${target}`,
      details: { fingerprint: unknownKey },
    });
  }
  if (error.level === "client-authentication") {
    return new PloyzError(
      {
        code: "ssh_auth_failed",
        message: `${target}: refused every key`,
        hint: "add the right key to the agent: ssh-add",
      },
      { cause: error },
    );
  }
  return new PloyzError(
    {
      code: "ssh_unreachable",
      message: `${target}: ${error.message}`,
      hint: "check the address, and that sshd is running there",
    },
    { cause: error },
  );
}
