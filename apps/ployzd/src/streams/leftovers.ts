import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { identify, isAlive, type ProcessIdentity, signalProcess } from "@ployz/exec";
import { killBelow } from "@ployz/runtime";
import { readJson, writeJson } from "../state/files.ts";

/** Programs that run for a caller. A daemon that was killed has not killed them: the next one does. */
export interface Leftovers {
  /** Resolves with the function to call at the program's end. */
  note(pid: number | undefined): Promise<() => Promise<void>>;
  /** At the start, before any `note`. */
  tidy(): Promise<void>;
}

export function openLeftovers(dir: string): Leftovers {
  return {
    async note(pid) {
      const identity = pid === undefined ? undefined : await identify(pid);
      if (identity === undefined) return async () => {};
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const path = join(dir, `${randomBytes(8).toString("hex")}.json`);
      await writeJson(path, identity);
      return () => rm(path, { force: true });
    },
    async tidy() {
      for (const name of await readdir(dir).catch(() => [])) {
        const identity = await readJson<ProcessIdentity>(join(dir, name));
        if (identity !== undefined && (await isAlive(identity))) {
          await killBelow(identity.pid);
          await signalProcess(identity, "SIGKILL");
        }
        await rm(join(dir, name), { force: true });
      }
    },
  };
}
