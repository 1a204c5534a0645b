import { readFile } from "node:fs/promises";
import { PloyzError } from "../error-codes.ts";

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Set when it is an account of the machine: its other groups are taken along. */
  readonly name?: string;
}

/** `name`, `uid` or `uid:gid` by the machine's passwd(5). @throws PloyzError `user_unknown` */
export async function resolveUser(user: string): Promise<User> {
  return parseUser(user, await readFile("/etc/passwd", "utf8"));
}

export function parseUser(user: string, passwd: string): User {
  const accounts = passwd
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= 7);
  const [left = "", right] = user.split(":");
  const numeric = /^\d{1,10}$/;
  const account = accounts.find((fields) => (numeric.test(left) ? fields[2] === left : fields[0] === left));
  const validGroup = right === undefined || numeric.test(right);
  if ((account === undefined && !numeric.test(left)) || !validGroup || user.split(":").length > 2) {
    throw new PloyzError({
      code: "user_unknown",
      message: `there is no user ${JSON.stringify(user)} on this machine`,
      hint: "name an account of the machine, or give uid:gid as numbers",
    });
  }
  const uid = account === undefined ? Number(left) : Number(account[2]);
  const gid = right !== undefined ? Number(right) : account === undefined ? uid : Number(account[3]);
  const home = account?.[5] ?? "/";
  const named = account?.[0] !== undefined && right === undefined && !numeric.test(left);
  return { uid, gid, home, ...(named && { name: account[0] as string }) };
}
