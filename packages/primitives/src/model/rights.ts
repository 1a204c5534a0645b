/** Rights that a machine's configuration can refuse to every workload. `root`: a program with user id 0. */
export const RIGHTS = ["root"] as const;
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
