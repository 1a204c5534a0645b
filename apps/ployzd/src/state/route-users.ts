import { createHash } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SecretRef } from "@ployz/primitives/protocol";
import { readJson, writeJson } from "./files.ts";

/** The users of the routes of a namespace that name a secret. */
export interface KeptUsers {
  readonly namespace: string;
  /** Of the secret, in that namespace or the one that it was branched from. */
  readonly name: string;
  readonly ref: SecretRef;
  /** The secret's value. */
  readonly text: string;
}

/** This machine's copies, one file (0600) each: the gateway starts with them, without the daemon and without the store. */
export interface UserFiles {
  list(): Promise<readonly KeptUsers[]>;
  put(users: KeptUsers): Promise<void>;
  remove(users: Pick<KeptUsers, "namespace" | "name">): Promise<void>;
}

export function openUserFiles(dir: string): UserFiles {
  const file = ({ namespace, name }: Pick<KeptUsers, "namespace" | "name">) =>
    join(dir, `${createHash("sha256").update(`${namespace}/${name}`).digest("hex").slice(0, 24)}.json`);
  return {
    async list() {
      const entries = await readdir(dir).catch(() => []);
      const all = entries
        .filter((entry) => entry.endsWith(".json"))
        .map((entry) => readJson<KeptUsers>(join(dir, entry)));
      return (await Promise.all(all)).flatMap((one) => one ?? []);
    },
    async put(users) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeJson(file(users), users);
    },
    remove: (users) => rm(file(users), { force: true }),
  };
}
