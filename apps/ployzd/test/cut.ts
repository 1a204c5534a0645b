import type { Zfs } from "@ployz/zfs";
import type { PullDeps } from "../src/participant/volumes/deps.ts";
import { volumeHandlers } from "../src/participant/volumes/open.ts";
import type { VolumeMachine } from "./volume-machine.ts";

/** Everything that changes the pool. */
const CHANGES = new Set<string>([
  "ensureDataset",
  "unsetProperty",
  "mount",
  "unmount",
  "destroyDataset",
  "ensureSnapshot",
  "ensureClone",
  "rename",
  "hold",
  "release",
  "receive",
] satisfies (keyof Zfs)[]);

export class Cut extends Error {}

/** The machine's handlers, whose daemon dies before its `at`th change of the pool. Properties are set one at a time. */
export function cutHandlers(
  machine: VolumeMachine,
  remote: Pick<PullDeps, "machines" | "fetch">,
  at: number,
): ReturnType<typeof volumeHandlers> {
  let left = at;
  const step = () => {
    if (left-- <= 0) throw new Cut("the daemon is dead");
  };
  const ready = async () => {
    const pool = await machine.storage.ready();
    const zfs = new Proxy(pool.zfs, {
      get(target, name: keyof Zfs) {
        const own = target[name] as (...args: unknown[]) => unknown;
        if (name === "setProperties") {
          return async (...[dataset, { user = {}, ...native }]: Parameters<Zfs["setProperties"]>) => {
            const each = [
              ...Object.entries(native).map(([key, value]) => ({ [key]: value })),
              ...Object.entries(user).map(([key, value]) => ({ user: { [key]: value } })),
            ];
            for (const one of each) {
              step();
              await target.setProperties(dataset, one);
            }
          };
        }
        if (!CHANGES.has(name)) return own;
        return async (...args: unknown[]) => {
          step();
          return own.apply(target, args);
        };
      },
    });
    return { ...pool, zfs };
  };
  return volumeHandlers({ ...machine.volumes, ...remote, storage: { ...machine.storage, ready } });
}
