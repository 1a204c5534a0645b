import { type BasicUser, basicUsers } from "@ployz/primitives/protocol";
import type { UserFiles } from "../state/route-users.ts";
import { createWaiters } from "../waiters.ts";
import type { Head, UsersOf } from "./project.ts";

/** How long new routes wait for their users: a store machine that does not answer must not keep the others. */
const WAIT_MS = 5_000;

/** The users of routes on this machine. */
export interface RouteUsers {
  readonly of: UsersOf;
  /** From disk; resolves with whether they have changed. */
  read(): Promise<boolean>;
  /** Resolves when the users of all these routes are here, or after 5 s; for those that never come, once only. */
  until(heads: readonly Head[]): Promise<void>;
}

const key = (namespace: string, name: string): string => `${namespace}/${name}`;

const usersIn = (heads: readonly Head[]): readonly string[] =>
  heads.flatMap(({ commit }) =>
    commit.routes.flatMap((route) =>
      route.kind === "http" && route.options?.basicAuth
        ? [key(commit.namespace, route.options.basicAuth.secret)]
        : [],
    ),
  );

/** Passwords may have changed without a commit. */
export const asksUsers = (heads: readonly Head[]): boolean => usersIn(heads).length > 0;

export function openRouteUsers(files: UserFiles, log: (error: unknown) => void): RouteUsers {
  let known = new Map<string, readonly BasicUser[]>();
  let text = "";
  const waiters = createWaiters();
  const awaited = new Set<string>();
  return {
    of: (namespace, name) => known.get(key(namespace, name)) ?? [],
    async read() {
      const kept = await files.list();
      const next = JSON.stringify(kept);
      if (next === text) return false;
      text = next;
      known = new Map(
        kept.map(({ namespace, name, text: value }) => {
          const found = basicUsers(value);
          if (!found.ok) log(new Error(`secret ${name} of ${namespace}: ${found.fault}`));
          return [key(namespace, name), found.ok ? found.users : []];
        }),
      );
      waiters.look();
      return true;
    },
    async until(heads) {
      const wanted = usersIn(heads).filter((one) => !awaited.has(one));
      for (const one of wanted) awaited.add(one);
      await waiters
        .until(() => wanted.every((one) => known.has(one)), AbortSignal.timeout(WAIT_MS))
        .catch(() => undefined);
    },
  };
}
