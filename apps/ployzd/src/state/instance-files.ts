import { createHash } from "node:crypto";
import { access, chmod, chown, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "@ployz/exec";
import type { InstanceStart } from "@ployz/primitives/protocol";
import { checkId, type Mount } from "@ployz/runtime";

type FileSpec = NonNullable<InstanceStart["files"]>[string];
type Start = Pick<InstanceStart, "id" | "files" | "secrets">;

/** Files that a manifest puts into this machine's instances, one folder (0700) for each instance. They are there after a reboot. */
export interface InstanceFiles {
  /** Writes the missing ones. `secrets`: values by path. Another content has another path, so an instance never changes under its programs. */
  write(start: Start, secrets: Readonly<Record<string, string>>): Promise<readonly Mount[]>;
  remove(id: string): Promise<void>;
}

export function openInstanceFiles(dir: string): InstanceFiles {
  return {
    write: ({ id, files = {}, secrets = {} }, values) =>
      Promise.all(
        Object.entries(files).map(async ([target, file]) => {
          // A secret by its version: its value's hash would be a hint.
          const source = join(dir, checkId(id), hash([target, file, secrets[target]]));
          if (!(await exists(source))) await writeFileAtomic(source, content(file, values[target]));
          await chown(source, file.owner?.uid ?? 0, file.owner?.gid ?? 0);
          await chmod(source, file.mode);
          return { source, target, readOnly: true };
        }),
      ),
    remove: async (id) => rm(join(dir, checkId(id)), { recursive: true, force: true }),
  };
}

function content(file: FileSpec, secret = ""): Buffer {
  if ("secret" in file) return Buffer.from(secret);
  return "text" in file ? Buffer.from(file.text) : Buffer.from(file.base64, "base64");
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const hash = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex");
