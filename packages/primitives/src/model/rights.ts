import type { Static } from "typebox";
import type { ContainerSpec } from "./container.ts";
import { list, object, text } from "./schema.ts";

/** Rights that a machine's configuration can refuse to every workload. `root`: a program with user id 0. `cap_add`: any capability beyond the default. */
export const RIGHTS = ["root", "cap_add"] as const;
/** One of them. */
export type Right = (typeof RIGHTS)[number];

/**
 * Whether a program of this user may have user id 0. An image decides what a name means in it and whom it runs as without one, so only a number
 * says that it is not root; names of a host process are the machine's, which knows other names of user 0 when it starts one.
 */
export function mayBeRoot(kind: "image" | "bundle", user: string | undefined): boolean {
  const [account = ""] = user?.split(":") ?? [];
  const isNumber = /^[0-9]+$/.test(account);
  if (isNumber) return Number(account) === 0;
  return kind === "image" || account === "root";
}

/** Docker's default set. Instances do not have the last three by default, and may have them back. */
const FREE_CAPABILITIES: readonly string[] = [
  ...["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID"],
  ...["SETPCAP", "SETUID", "SYS_CHROOT", "AUDIT_WRITE", "MKNOD", "NET_RAW"],
];

/** What a machine's configuration allows to workloads beyond that: `[policy]`. */
export const Allowed = object({ capabilities: list(text()) });
/** Static type of the schema of this name. */
export type Allowed = Static<typeof Allowed>;

export const NOTHING_ALLOWED: Allowed = { capabilities: [] };

/** Why a machine does not start an instance with these settings: the manifest's field, and the line of the machine's configuration that would allow it. */
export function forbidden(
  { capAdd = [] }: Pick<ContainerSpec, "capAdd">,
  allowed: Allowed,
  refuses: readonly string[],
): string | undefined {
  if (capAdd.length > 0 && refuses.includes("cap_add"))
    return `refuses cap_add: "cap_add" is in policy.refuse of its configuration`;
  const missing = capAdd.filter(
    (name) => !FREE_CAPABILITIES.includes(name) && !allowed.capabilities.includes(name),
  );
  return missing.length === 0
    ? undefined
    : `does not allow cap_add ${missing.join(", ")}: its configuration would with ${line("capabilities", [...allowed.capabilities, ...missing])}`;
}

const line = (field: string, values: readonly string[]): string =>
  `policy.${field} = ${JSON.stringify(values).replaceAll('","', '", "')}`;
