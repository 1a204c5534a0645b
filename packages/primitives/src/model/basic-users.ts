/** A user of HTTP's basic authentication. */
export type BasicUser = { readonly name: string; readonly hash: string };

const NAME = /^[A-Za-z0-9._@+-]{1,64}$/;
const BCRYPT = /^\$2[aby]\$(?<cost>[0-9]{2})\$[A-Za-z0-9./]{53}$/;
const SHA = /^\$[56]\$(rounds=(?<rounds>[0-9]{4,9})\$)?[A-Za-z0-9./]{1,16}\$[A-Za-z0-9./]{43,86}$/;
/** A gateway computes the hash with each request, and answers nothing else meanwhile: about 50 ms. */
const MOST = { cost: 10, rounds: 100_000, users: 1000 };

/** Users of a secret's value, one `name:hash` a line (as htpasswd(1) writes them), or the fault, which quotes nothing of it. */
export function basicUsers(
  text: string,
):
  | { readonly ok: true; readonly users: readonly BasicUser[] }
  | { readonly ok: false; readonly fault: string } {
  const users = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const at = line.indexOf(":");
    const [name, hash] = [line.slice(0, at), line.slice(at + 1)];
    const fault = faultOf(name, hash, users);
    if (at < 0 || fault !== undefined) return { ok: false, fault: `line ${index + 1} ${fault ?? MEANT}` };
    users.set(name, hash);
  }
  if (users.size === 0) return { ok: false, fault: "it names no user" };
  if (users.size > MOST.users) return { ok: false, fault: `it names more than ${MOST.users} users` };
  return { ok: true, users: [...users].map(([name, hash]) => ({ name, hash })) };
}

const MEANT = "is not name:hash with a bcrypt, SHA-256 or SHA-512 hash";

function faultOf(name: string, hash: string, users: ReadonlyMap<string, string>): string | undefined {
  if (!NAME.test(name)) return MEANT;
  if (users.has(name)) return "names a user again";
  const [bcrypt, sha] = [BCRYPT.exec(hash)?.groups, SHA.exec(hash)?.groups];
  if (bcrypt === undefined && sha === undefined) return MEANT;
  if (Number(bcrypt?.cost ?? 0) > MOST.cost || Number(sha?.rounds ?? 0) > MOST.rounds)
    return `has a hash that takes too long to check: at most cost ${MOST.cost}, or ${MOST.rounds} rounds`;
  return undefined;
}
