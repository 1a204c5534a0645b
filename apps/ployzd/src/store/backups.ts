import { createReadStream } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type NatsStore, readBackup, snapshotStore, writeBackup } from "@ployz/nats-store";
import { PloyzError } from "../error-codes.ts";
import type { Membership } from "../mesh/membership.ts";

/** Transfers of backups between the store and an operator's file. */
export interface Backups {
  /** Copies the store, verifies the copy, and yields its bytes. @throws PloyzError `not_a_store_machine`. */
  make(passphrase: string | undefined): Promise<{ readonly bytes: number; stream(): Readable }>;
  /** Receives an operator's file; resolves with its id here. */
  take(source: Readable): Promise<string>;
  uploaded(id: string): string;
  /** Removes an upload, whether it was used or not. */
  drop(id: string): Promise<void>;
}

const UPLOAD = /^[0-9]{1,16}$/;

export function openBackups(options: {
  readonly dir: string;
  readonly nats: NatsStore;
  sealKey(): Promise<string | undefined>;
  membership(): Membership;
}): Backups {
  const { dir } = options;
  let made = 0;
  let tidied: Promise<void> | undefined;
  const fresh = async () => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    tidied ??= tidy(dir);
    await tidied;
    made += 1;
    return `${Date.now()}${made}`;
  };
  const uploaded = (id: string) => {
    if (UPLOAD.test(id)) return join(dir, `upload-${id}.ployz`);
    throw new PloyzError({ code: "invalid_input", message: "id: is not of an upload" });
  };
  return {
    async make(passphrase) {
      const { machine, machines } = options.membership();
      // Only store machines can read secrets.
      if (!machine.store) {
        const stores = machines.filter(({ store }) => store);
        throw new PloyzError({
          code: "not_a_store_machine",
          message: `${machine.id} does not hold the store, whose secrets a backup includes`,
          hint: `run it on ${stores.map(({ id }) => id).join(" or ")}: ployzctl --host root@${stores[0]?.endpoints[0]?.replace(/:\d+$/, "") ?? "MACHINE"} store snapshot`,
        });
      }
      const file = join(dir, `made-${await fresh()}.ployz`);
      const secret = passphrase === undefined ? {} : { passphrase };
      const createdAt = new Date().toISOString();
      try {
        const sealKey = await options.sealKey();
        const made = { createdAt, ...secret, ...(sealKey !== undefined && { sealKey }) };
        await writeBackup(file, snapshotStore(options.nats.session, made));
        await readBackup(file, secret); // verify every byte before it counts as a backup
        const { size } = await stat(file);
        return {
          bytes: size,
          stream() {
            const source = createReadStream(file);
            source.once("close", () => void rm(file, { force: true }));
            return source;
          },
        };
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      }
    },
    async take(source) {
      const id = await fresh();
      await writeBackup(uploaded(id), source);
      return id;
    },
    uploaded,
    drop: (id) => rm(uploaded(id), { force: true }),
  };
}

/** Removes the copies that an earlier daemon has left. Parcels of a move, and what backups of volumes have in the folder, stay. */
async function tidy(dir: string): Promise<void> {
  const left = (await readdir(dir)).filter((name) => /^(made|upload)-[0-9]+\.ployz/.test(name));
  await Promise.all(left.map((name) => rm(join(dir, name), { force: true })));
}
