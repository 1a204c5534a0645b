import { createInterface } from "node:readline";
import { ExecError } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { explain, type Remote } from "./ssh.ts";

/** This computer's SSH agent, as a socket on another machine. */
export interface FarAgent {
  /** The path there. */
  readonly socket: string;
  close(): void;
}

const MARK = "ployz-agent:";

/** As long as its connection is open. @throws PloyzError `ssh_identity_missing`, or why the machine is not reached. */
export async function forwardAgent(ssh: Pick<Remote, "name" | "startWithAgent">): Promise<FarAgent> {
  // A shell's start-up files may print before the mark; the input is open until we close it.
  const program = ssh.startWithAgent(`echo "${MARK}$SSH_AUTH_SOCK"; exec cat >/dev/null`);
  program.stdin.on("error", () => {}); // its end reports why
  const ended = program.done.then(
    () => undefined,
    (error: unknown) => error,
  );
  const lines = createInterface({ input: program.stdout });
  let socket: string | undefined;
  for await (const line of lines) {
    if (!line.startsWith(MARK)) continue;
    socket = line.slice(MARK.length);
    break;
  }
  if (socket !== undefined && socket !== "") return { socket, close: () => program.kill("SIGKILL") };
  program.kill("SIGKILL");
  const error = await ended;
  if (socket === undefined && error instanceof ExecError) throw explain(ssh.name, error);
  throw new PloyzError({
    code: "ssh_identity_missing",
    message: `${ssh.name} takes no agent of this computer (AllowAgentForwarding of its sshd)`,
    hint: "name the private key: --identity PATH",
  });
}
