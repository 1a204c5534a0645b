import type { Readable } from "node:stream";
import type { RemoteTarget } from "@ployz/primitives/protocol";
import { Client } from "ssh2";
import { PloyzError } from "../error-codes.ts";
import { execOn, type SshResult } from "./exec.ts";
import { certificatesOf, certifies } from "./host-certificate.ts";
import { authoritiesOf, checkHostKey, fingerprint, rememberHostKey } from "./known-hosts.ts";

export interface SshCredentials {
  /** A private key in OpenSSH or PEM form, without a passphrase. */
  readonly identity?: string;
  readonly agentSocket?: string;
  /** `new`: accept and store an unknown host's key; a list: accept these fingerprints. */
  readonly acceptHostKeys?: "new" | readonly string[];
}

export interface SshConnection {
  readonly hostKey: string;
  /** Runs a command line in the remote login shell. Quote arguments with `shellWord`. Any exit code resolves. */
  exec(
    command: string,
    options: { readonly stdin?: string | Readable; readonly signal: AbortSignal },
  ): Promise<SshResult>;
  close(): void;
}

const KNOWN_HOSTS = ["/root/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"];
const CONNECT_MS = 10_000;

/** @throws PloyzError `ssh_unreachable`, `ssh_auth_failed`, `ssh_host_key_unknown`, `ssh_host_key_changed`, `ssh_host_key_revoked`, `ssh_identity_invalid`. */
export async function connectSsh(
  target: RemoteTarget,
  credentials: SshCredentials,
  signal: AbortSignal,
): Promise<SshConnection> {
  signal.throwIfAborted();
  const client = new Client();
  const where = `${target.user}@${target.host}${target.port === 22 ? "" : `:${target.port}`}`;
  let hostKey = "";
  let refused: PloyzError | undefined;

  const verify = async (key: Buffer): Promise<boolean> => {
    hostKey = fingerprint(key);
    const verdict = await checkHostKey(KNOWN_HOSTS, target.host, target.port, key);
    if (verdict === "known") return true;
    if (verdict === "revoked") {
      refused = new PloyzError({
        code: "ssh_host_key_revoked",
        message: `${where}: known_hosts has revoked its host key ${hostKey}`,
        hint: "someone may have stolen the key: give the machine another one (ssh-keygen -A after removing /etc/ssh/ssh_host_*)",
        details: { fingerprint: hostKey },
      });
      return false;
    }
    if (verdict === "changed") {
      refused = new PloyzError({
        code: "ssh_host_key_changed",
        message: `${where}: its host key differs from the one in known_hosts (now ${hostKey})`,
        hint: `if the machine was reinstalled: ssh-keygen -R ${target.host}`,
        details: { fingerprint: hostKey },
      });
      return false;
    }
    if (verdict === "certified") {
      const trusted = await authoritiesOf(KNOWN_HOSTS, target.host, target.port);
      const wanted = { host: target.host, key, ...trusted, nowMs: Date.now() };
      const shown = await certificatesOf(target.host, target.port, signal);
      if (shown.some((certificate) => certifies(certificate, wanted))) return true;
    }
    const { acceptHostKeys } = credentials;
    if (acceptHostKeys === "new" || acceptHostKeys?.includes(hostKey) === true) {
      await rememberHostKey(KNOWN_HOSTS[0] ?? "", target.host, target.port, key);
      return true;
    }
    refused = new PloyzError({
      code: "ssh_host_key_unknown",
      message: `${where}: unknown host key ${hostKey}${verdict === "certified" ? "; known_hosts has an authority for it, and it shows no certificate of that authority for this key and name" : ""}`,
      hint: "compare it with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then use --accept-new-host-key",
      details: { fingerprint: hostKey, host: target.host },
    });
    return false;
  };

  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      client.destroy();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    client.once("ready", () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    client.once("error", (error) => {
      signal.removeEventListener("abort", abort);
      reject(refused ?? connectError(error, where));
    });
    try {
      client.connect({
        host: target.host,
        port: target.port,
        username: target.user,
        readyTimeout: CONNECT_MS,
        keepaliveInterval: 5_000,
        keepaliveCountMax: 4,
        // Ciphers of OpenSSL: ssh2's own ChaCha20-Poly1305 is slower.
        algorithms: {
          cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr"],
        },
        hostVerifier: (key: Buffer, answer: (ok: boolean) => void) => {
          verify(key).then(answer, () => answer(false));
        },
        ...(credentials.identity !== undefined && { privateKey: credentials.identity }),
        ...(credentials.agentSocket !== undefined && { agent: credentials.agentSocket }),
      });
    } catch (error) {
      reject(connectError(error as Error, where));
    }
  });
  // A later loss of the connection ends the channels, which report it.
  let loss: Error | undefined;
  client.on("error", (error) => {
    loss ??= error;
  });

  return {
    hostKey,
    exec: (command, options) => execOn(client, where, command, { ...options, loss: () => loss }),
    close: () => {
      client.end();
    },
  };
}

function connectError(error: Error & { level?: string; code?: string }, where: string): PloyzError {
  if (error.level === "client-authentication") {
    return new PloyzError(
      {
        code: "ssh_auth_failed",
        message: `${where}: the machine accepted no key`,
        hint: "pass the right private key with --identity",
      },
      { cause: error },
    );
  }
  if (/privateKey|parse|passphrase/i.test(error.message)) {
    return new PloyzError(
      {
        code: "ssh_identity_invalid",
        message: `the identity is not a usable private key: ${error.message}`,
        hint: "add a key with a passphrase to ssh-agent",
      },
      { cause: error },
    );
  }
  const why = error.level === "client-timeout" ? `no answer within ${CONNECT_MS / 1000} s` : error.message;
  return new PloyzError(
    {
      code: "ssh_unreachable",
      message: `${where}: ${why}`,
      hint: "check the address and the port, and that sshd runs there",
    },
    { cause: error },
  );
}
