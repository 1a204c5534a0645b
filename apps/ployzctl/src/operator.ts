import { join } from "node:path";

/** What tells who types: files are read through `read`, which gives `undefined` for one that cannot be read. */
export interface Login {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number | undefined;
  readonly host: string;
  read(path: string): string | undefined;
}

/** `loginuid` of a process that no login started. */
const UNSET = 4_294_967_295;

/**
 * The person who runs the program, as `name@machine`: who became root by sudo or doas; else the comment of the SSH key that opened this
 * session, which sshd tells with `ExposeAuthInfo yes` (sshd_config(5)); else the user who logged in (`/proc/self/loginuid`, proc(5)),
 * who stays the same over su; else the user.
 */
export function operator({ env, uid, host, read }: Login): string {
  const users = read("/etc/passwd") ?? "";
  const name =
    env.SUDO_USER ??
    env.DOAS_USER ??
    keyComment({ env, read }) ??
    loggedIn(read("/proc/self/loginuid"), users) ??
    env.USER ??
    env.LOGNAME ??
    (uid === 0 ? "root" : String(uid));
  return name.includes("@") ? name : `${name}@${host}`;
}

export const thisOperator = (env: Login["env"]): string =>
  operator({
    env,
    uid: process.getuid?.(),
    host: env.HOSTNAME ?? process.getBuiltinModule("node:os").hostname(),
    read(path) {
      try {
        // See version.ts: an import costs every start.
        return process.getBuiltinModule("node:fs").readFileSync(path, "utf8");
      } catch {
        return undefined;
      }
    },
  });

/** Of the public key that this session was opened with, from the line of authorized_keys that has it. */
function keyComment({ env, read }: Pick<Login, "env" | "read">): string | undefined {
  const used = read(env.SSH_USER_AUTH ?? "");
  const key = /^publickey \S+ (\S+)$/m.exec(used ?? "")?.[1];
  if (key === undefined) return undefined;
  const known = read(join(env.HOME ?? "/root", ".ssh/authorized_keys")) ?? "";
  const line = known.split("\n").find((one) => one.split(/\s+/).includes(key));
  const comment = line?.slice(line.indexOf(key) + key.length).trim();
  return comment === "" ? undefined : comment;
}

function loggedIn(loginuid: string | undefined, users: string): string | undefined {
  const id = Number(loginuid ?? UNSET);
  if (!Number.isInteger(id) || id === UNSET || id === 0) return undefined;
  return users
    .split("\n")
    .map((line) => line.split(":"))
    .find(([, , uid]) => uid === String(id))?.[0];
}
