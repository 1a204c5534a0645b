import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Transform } from "node:stream";
import { PloyzError as WireError } from "@ployz/errors";
import { pause, shellWord } from "@ployz/exec";
import type { Json, Remote, RemoteTarget } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { Payload } from "../host/payload.ts";
import { MARK, ownOutput } from "./login-shell.ts";
import { PROBE, parseProbe } from "./probe.ts";
import type { SshConnection, SshCredentials } from "./ssh.ts";

/** Exit code of a script that found another apt or dpkg at work. */
const LOCKED = 75;
const LOCK_POLL_MS = 5_000;
const LOCK_PATIENCE_MS = 5 * 60_000;

/** The `Remote` port over SSH, with one connection per target, for the life of one request. */
export function openRemote(payload: Payload, credentials: SshCredentials): Remote & { close(): void } {
  const connections = new Map<string, Promise<SshConnection>>();

  // Loaded only by machine add: the SSH library takes about 10 MB.
  const dial = async (target: RemoteTarget, signal: AbortSignal): Promise<SshConnection> => {
    const { connectSsh } = await import("./ssh.ts");
    return connectSsh(target, credentials, signal);
  };

  const connection = (target: RemoteTarget, signal: AbortSignal): Promise<SshConnection> => {
    const key = `${target.user}@${target.host}:${target.port}`;
    const open = connections.get(key) ?? dial(target, signal);
    connections.set(key, open);
    open.catch(() => connections.delete(key));
    return open;
  };

  /** Runs a command line, fails unless its exit code is 0, and drops a broken connection, so that a retry reconnects. */
  async function exec(
    target: RemoteTarget,
    command: string,
    signal: AbortSignal,
    stdin?: Parameters<SshConnection["exec"]>[1]["stdin"],
  ) {
    const ssh = await connection(target, signal);
    try {
      const options = { signal, ...(stdin !== undefined && { stdin }) };
      return ownOutput(await ssh.exec(`echo ${MARK}; ${command}`, options), target.host);
    } catch (error) {
      connections.delete(`${target.user}@${target.host}:${target.port}`);
      ssh.close();
      throw error;
    }
  }

  const failed = (
    target: RemoteTarget,
    what: string,
    result: { stderr: string; stdout: string; exitCode: number },
  ) =>
    new PloyzError({
      code: "remote_failed",
      message: `${target.host}: ${what} failed (exit code ${result.exitCode}): ${lastLine(result.stderr) || lastLine(result.stdout)}`,
      details: { stderr: result.stderr.slice(-4000) },
    });

  return {
    async facts(target, signal) {
      const ssh = await connection(target, signal);
      const args = payload.packages.map(({ name, when }) => shellWord(`${when}:${name}`)).join(" ");
      const result = await exec(target, `sh -s -- ${args}`, signal, PROBE);
      if (result.exitCode !== 0) throw failed(target, "the inspection", result);
      return parseProbe(result.stdout, ssh.hostKey, Date.now());
    },
    async installPackages(target, packages, progress, signal) {
      // Packages must not start their own services, since Ployz runs the programs itself: policy-rc.d tells invoke-rc.d for this call.
      const script = `
set -e
export DEBIAN_FRONTEND=noninteractive
made=
if [ ! -e /usr/sbin/policy-rc.d ]; then printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; made=1; fi
trap '[ -z "$made" ] || rm -f /usr/sbin/policy-rc.d' EXIT
said=$(apt-get install -q -y --no-install-recommends "$@" 2>&1) && exit 0
said=$(apt-get update -q 2>&1 && apt-get install -q -y --no-install-recommends "$@" 2>&1) && exit 0
case $said in *"Could not get lock"* | *"Unable to acquire the dpkg frontend lock"* | *"Unable to lock"*) code=${LOCKED} ;; *) code=1 ;; esac
printf '%s\\n' "$said" >&2
exit $code
`;
      const command = `sh -s -- ${packages.map(shellWord).join(" ")}`;
      const began = performance.now();
      let result = await exec(target, command, signal, script);
      // A new server updates itself in its first minutes.
      while (result.exitCode === LOCKED && performance.now() - began < LOCK_PATIENCE_MS) {
        progress(`waiting for another apt or dpkg on ${target.host} to end`);
        await pause(LOCK_POLL_MS, signal);
        signal.throwIfAborted();
        result = await exec(target, command, signal, script);
      }
      if (result.exitCode !== 0) throw failed(target, `apt-get install ${packages.join(" ")}`, result);
    },
    async installPayload(target, operation, progress, signal) {
      const present = await exec(
        target,
        "cat /usr/local/lib/ployz/current/version.json 2>/dev/null || true",
        signal,
      );
      if (present.stdout.includes(`"${payload.build}"`)) return { installed: false };
      const { size } = await stat(payload.tarball);
      const command = `umask 022; d=$(mktemp -d) && trap 'rm -rf "$d"' EXIT HUP TERM && cat > "$d/payload.tar.gz" && tar -xzf "$d/payload.tar.gz" -C "$d" && sh "$d/ployz/install.sh" --operation ${shellWord(operation)} --tarball "$d/payload.tar.gz" >&2`;
      const upload = () => {
        let sent = 0;
        const counted = new Transform({
          transform(chunk: Buffer, _encoding, next) {
            sent += chunk.length;
            progress(sent, size);
            next(null, chunk);
          },
        });
        const source = createReadStream(payload.tarball, { highWaterMark: 1024 * 1024 });
        source.on("error", (error) => counted.destroy(error));
        return exec(target, command, signal, source.pipe(counted));
      };
      // A partial upload disappears with its shell: after a lost connection, start again.
      const result = await upload().catch((error: unknown) => {
        if (signal.aborted || !(error instanceof PloyzError) || error.code !== "ssh_unreachable") throw error;
        return upload();
      });
      if (result.exitCode !== 0) throw failed(target, "the installation", result);
      return { installed: true };
    },
    async removePayload(target, operation, signal) {
      const command = `d=/usr/local/lib/ployz/current; [ "$(cat "$d/.operation" 2>/dev/null)" = ${shellWord(operation)} ] || exit 0; exec "$d/install.sh" --remove >&2`;
      const result = await exec(target, command, signal);
      if (result.exitCode !== 0) throw failed(target, "the removal of the payload", result);
    },
    async ployzctl(target, args, stdin, signal) {
      const command = `[ -x /usr/local/bin/ployzctl ] || { echo '{"kind":"absent"}'; exit 0; }; exec /usr/local/bin/ployzctl --json ${args.map(shellWord).join(" ")}`;
      const result = await exec(target, command, signal, stdin);
      const document = parseDocument(result.stdout);
      if (result.exitCode === 0 && document !== undefined) return document;
      const { error } = (document ?? {}) as { error?: { code: string; message: string; hint?: string } };
      if (error === undefined) throw failed(target, `ployzctl ${args.slice(0, 2).join(" ")}`, result);
      throw new WireError({ ...error, message: `${target.host}: ${error.message}` });
    },
    close() {
      for (const open of connections.values())
        open.then(
          (ssh) => ssh.close(),
          () => {},
        );
      connections.clear();
    },
  };
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

function parseDocument(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
