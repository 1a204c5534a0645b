import type { StoredContent } from "../participant/image-commands.ts";
import { fail, type Handlers, type MemoryMachine } from "./memory-participant.ts";

type Cleaning = Pick<Handlers, "image.inspect" | "image.usage" | "image.prune" | "image.remove">;

/** An image of a machine in memory has its digest as its only name, 1 MB, and is kept by the instances that run it. */
export function imageHandlersOf(machine: MemoryMachine): Cleaning {
  const usersOf = (digest: string) =>
    [...machine.instances.values()].flatMap(({ start }) =>
      start.image?.digest === digest ? [`${start.namespace}/${start.service}`] : [],
    );
  const content = (): readonly StoredContent[] =>
    [...machine.images].map((digest) => ({
      ...{ kind: "image", digest, names: [digest], sizeBytes: 1_000_000, at: "2026-01-01T00:00:00.000Z" },
      ...{ keptBy: usersOf(digest), expired: usersOf(digest).length === 0 },
    }));
  const remove = (digest: string) => {
    machine.images.delete(digest);
    machine.effects.push(`remove image ${digest}`);
  };
  return {
    "image.inspect": () => null,
    "image.usage": ({ ref }) => {
      const found = content().filter(({ digest }) => ref === undefined || ref === digest);
      const expired = found.filter((one) => one.expired).length;
      return {
        ...{ content: found, storeBytes: machine.images.size * 1_000_000, expiredBytes: expired * 1_000_000 },
        ...{ layerBytes: 0, bundleBytes: 0, engineBytes: 0 },
      };
    },
    "image.prune": () => {
      const expired = content().filter((one) => one.expired);
      for (const { digest } of expired) remove(digest);
      return { removed: expired.map(({ digest }) => digest), freedBytes: expired.length * 1_000_000 };
    },
    "image.remove": ({ digest }) => {
      if (!machine.images.has(digest)) return { removed: false, freedBytes: 0 };
      const users = usersOf(digest);
      if (users.length > 0) return fail("image_in_use", `${users.join(", ")} needs ${digest}`);
      remove(digest);
      return { removed: true, freedBytes: 1_000_000 };
    },
  };
}
