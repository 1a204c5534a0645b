import { errorBody } from "@ployz/errors";
import { fullName, parseReference, readArchive, shortName } from "@ployz/images";
import type { ImageList, ImagePushed, ImageRow } from "@ployz/primitives/client";
import { type Commands, type Commit, LOOK } from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import { platformOf } from "../images/registries.ts";
import type { ApiRoutes } from "./router.ts";

type Stored = Commands["image.list"]["out"]["images"][number] & { readonly machine: string };

export function imageRoutes(daemon: Daemon): Pick<ApiRoutes["json"], "GET /v1/images" | "PUT /v1/images"> {
  return {
    "GET /v1/images": async ({ query, signal }): Promise<ImageList> => {
      const member = daemon.member();
      const asked = member.membership().machines.filter(({ id }) => (query.machine ?? id) === id);
      const silent: ImageList["silent"][number][] = [];
      const stored = await Promise.all(
        asked.map(async ({ id: machine }): Promise<readonly Stored[]> => {
          try {
            const { images } = await member.machines.call(machine, "image.list", null, { ...LOOK, signal });
            return images.map((image) => ({ ...image, machine }));
          } catch (error) {
            signal.throwIfAborted();
            silent.push({ machine, error: errorBody(error) });
            return [];
          }
        }),
      );
      const commits = member.heads().map(({ commit }) => commit);
      return { kind: "images", images: imageRows(stored.flat(), commits), silent };
    },
    "PUT /v1/images": async ({ query, request }): Promise<ImagePushed> => {
      const member = daemon.member();
      const { images: store, runtime } = member.substrate;
      const name = query.name === undefined ? undefined : fullName(parseReference(query.name));
      const archived = await readArchive(store, request, { name, platform: await platformOf(runtime) });
      const named = name ?? archived.name;
      await store.name(archived.digest, named, new Date().toISOString());
      return {
        ...{ kind: "image-pushed", digest: archived.digest, sizeBytes: archived.size },
        ...(named !== undefined && { name: shortName(named) }),
        machine: member.membership().machine.id,
      };
    },
  };
}

/** One row an image, the newest first. Pure. */
export function imageRows(stored: readonly Stored[], commits: readonly Commit[]): readonly ImageRow[] {
  const users = new Map<string, string[]>();
  for (const { namespace, services, jobs } of commits)
    for (const [name, { spec }] of Object.entries({ ...services, ...jobs })) {
      const digest = spec.image?.digest;
      if (digest !== undefined) users.set(digest, [...(users.get(digest) ?? []), `${namespace}/${name}`]);
    }
  const unique = (values: readonly string[]) => [...new Set(values)].sort();
  const rows = unique(stored.map(({ digest }) => digest)).map((digest): ImageRow => {
    const same = stored.filter((one) => one.digest === digest);
    const at = unique(same.flatMap((one) => (Date.parse(one.at) > 0 ? [one.at] : []))).at(-1);
    return {
      digest,
      names: unique(same.flatMap(({ name }) => (name === undefined ? [] : [shortName(name)]))),
      sizeBytes: same[0]?.sizeBytes ?? 0,
      ...(at !== undefined && { at }),
      machines: unique(same.map(({ machine }) => machine)),
      users: unique(users.get(digest) ?? []),
    };
  });
  return rows.sort((left, right) => ((left.at ?? "") < (right.at ?? "") ? 1 : -1));
}
