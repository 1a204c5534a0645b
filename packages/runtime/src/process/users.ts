import { readFile } from "node:fs/promises";
import { PloyzError } from "../error-codes.ts";
import type { InstanceSpec } from "../runtime.ts";

/** The user that an instance runs as. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Its other groups, by the machine's group(5). */
  readonly groups: readonly number[];
  /** No account of the machine, but a number that no other instance has. */
  readonly own?: true;
}

/** Above what systemd gives to containers and below 2^31: unused on every distribution (systemd's UIDS-GIDS). */
const OWN_UIDS = 0x7000_0000;

/** `name`, `uid` or `uid:gid` by the machine's passwd(5). @throws PloyzError `user_unknown` */
export async function resolveUser(user: string): Promise<User> {
  return parseUser(user, await readFile("/etc/passwd", "utf8"), await readFile("/etc/group", "utf8"));
}

/**
 * Without a user of its own an instance is `nobody`. One that keeps no files is a `nobody` that no other instance is: its number comes
 * from its address, which is unique in the cluster. Files in volumes have to belong to the same number on every machine.
 * @throws PloyzError `user_unknown`, `group_unknown`
 */
export async function instanceUser(
  spec: Pick<InstanceSpec, "user" | "mounts" | "address" | "container">,
): Promise<User> {
  const group = await readFile("/etc/group", "utf8");
  const user = withGroups(await resolveUser(spec.user ?? "nobody"), spec.container?.groupAdd, {
    ...{ group, of: "machine" },
  });
  const keepsFiles = spec.mounts.some(({ readOnly }) => readOnly !== true);
  if ((spec.user ?? "nobody") !== "nobody" || keepsFiles) return user;
  const host = spec.address
    .split(".")
    .slice(1)
    .reduce((number, byte) => number * 256 + Number(byte), 0);
  return { ...user, uid: OWN_UIDS + host, gid: OWN_UIDS + host, own: true };
}

export function parseUser(user: string, passwd: string, group: string): User {
  const accounts = table(passwd, 7);
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
  const named = account?.[0] !== undefined && right === undefined && !numeric.test(left);
  const member = (fields: readonly string[]) => (fields[3] ?? "").split(",").includes(account?.[0] ?? "");
  return {
    uid,
    gid,
    home: account?.[5] ?? "/",
    groups: named ? table(group, 4).flatMap((fields) => (member(fields) ? [Number(fields[2])] : [])) : [],
  };
}

/**
 * By the image's own passwd(5) and group(5), as Docker does: `user`, `uid`, and either with `:group` or `:gid`. A number that passwd does not have is a
 * user of group 0. @throws PloyzError `user_unknown`
 */
export function imageUser(user: string, passwd: string, group: string): User {
  const [left = "", right, ...more] = user.split(":");
  const accounts = table(passwd, 6);
  const groups = table(group, 3);
  const account =
    accounts.find((fields) => fields[0] === left) ??
    (NUMBER.test(left) ? accounts.find((fields) => fields[2] === left) : undefined);
  const named = right === undefined ? undefined : groups.find((fields) => fields[0] === right)?.[2];
  const gid = right === undefined ? (account?.[3] ?? "0") : (named ?? right);
  const uid = account?.[2] ?? left;
  // Above, the kernel takes -1 for "leave it as it is" (setresuid(2)), which is root.
  const valid = [uid, gid].every((id) => NUMBER.test(id) && Number(id) <= HIGHEST_ID);
  if (!valid || more.length > 0)
    throw new PloyzError({
      code: "user_unknown",
      message: `there is no user ${JSON.stringify(user)} in the image`,
      hint: "name an account of the image, or give uid:gid as numbers",
    });
  const member = (fields: readonly string[]) =>
    account !== undefined && (fields[3] ?? "").split(",").includes(account[0] ?? "");
  return {
    ...{ uid: Number(uid), gid: Number(gid), home: account?.[5] || "/" },
    groups: right === undefined ? groups.filter(member).map((fields) => Number(fields[2])) : [],
  };
}

/** The user with further groups: numbers, or names by group(5). @throws PloyzError `group_unknown` */
export function withGroups(
  user: User,
  names: readonly string[] = [],
  { group, of }: { readonly group: string; readonly of: "image" | "machine" },
): User {
  const groups = table(group, 3);
  const added = names.map((name) => {
    const id = NUMBER.test(name) ? name : groups.find((fields) => fields[0] === name)?.[2];
    if (id !== undefined && NUMBER.test(id) && Number(id) <= HIGHEST_ID) return Number(id);
    throw new PloyzError({
      code: "group_unknown",
      message: `there is no group ${JSON.stringify(name)} ${of === "image" ? "in the image" : "on this machine"}`,
      hint: "give its number",
    });
  });
  return { ...user, groups: [...new Set([...user.groups, ...added])] };
}

const HIGHEST_ID = 2 ** 31 - 1;
const NUMBER = /^\d{1,10}$/;

function table(text: string, columns: number): readonly (readonly string[])[] {
  return text
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= columns);
}
