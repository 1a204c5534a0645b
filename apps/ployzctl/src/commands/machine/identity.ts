import { access, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Context } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { whyUnreadable } from "../../files.ts";

export interface Identity {
  /** A private key without a passphrase. */
  readonly identity?: string;
  readonly agentSocket?: string;
}

const DEFAULTS = ["id_ed25519", "id_ecdsa", "id_rsa"];

/** The named key, else the agent, else the first usable key of the default files. */
export async function findIdentity(
  path: string | undefined,
  { terminal, agent }: Pick<Context, "terminal" | "agent">,
): Promise<Identity> {
  const home = terminal.env.HOME ?? homedir();
  if (path !== undefined)
    return { identity: await readKey(resolve(terminal.cwd, path.replace(/^~(?=\/)/, home))) };
  if (terminal.env.SSH_AUTH_SOCK) {
    const socket = await agent();
    if (socket !== undefined) return { agentSocket: socket };
  }
  let refused: unknown;
  for (const name of DEFAULTS) {
    const file = join(home, ".ssh", name);
    if (
      !(await access(file).then(
        () => true,
        () => false,
      ))
    )
      continue;
    try {
      return { identity: await readKey(file) };
    } catch (error) {
      refused ??= error;
    }
  }
  if (refused !== undefined) throw refused;
  throw new PloyzError({
    code: "ssh_identity_missing",
    message: `found no SSH agent and no key in ${join(home, ".ssh")}`,
    hint: "name the private key: --identity PATH",
  });
}

async function readKey(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new PloyzError({
      code: "ssh_identity_unreadable",
      message: `--identity ${path}: ${whyUnreadable(error)}`,
      hint: "name a private key that you can read",
    });
  });
  if (/^(ssh-|ecdsa-)/.test(text)) {
    throw new PloyzError({
      code: "ssh_identity_invalid",
      message: `${path} is a public key`,
      hint: `name the private key: ${path.replace(/\.pub$/, "")}`,
    });
  }
  const { default: ssh2 } = await import("ssh2");
  const key = ssh2.utils.parseKey(text);
  if (!(key instanceof Error)) return text;
  const encrypted = /passphrase|encrypted/i.test(key.message);
  throw new PloyzError({
    code: "ssh_identity_invalid",
    message: encrypted ? `${path} has a passphrase` : `${path} is not a private key: ${key.message}`,
    hint: encrypted ? `add it to the agent: ssh-add ${path}` : "name an OpenSSH or PEM private key",
  });
}
