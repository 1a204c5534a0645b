import { errorBody } from "@ployz/errors";
import { fullName, parseReference, readArchive, shortName } from "@ployz/images";
import type { ImageDocument, ImageList, ImagePushed, ImageRow, ImageStatus } from "@ployz/primitives/client";
import { type Commands, type Commit, LOOK } from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import { PloyzError } from "../error-codes.ts";
import { platformOf } from "../images/registries.ts";
import type { ApiRoutes } from "./router.ts";

type Stored = Commands["image.list"]["out"]["images"][number] & { readonly machine: string };

type ImageRoutes = "GET /v1/images" | "GET /v1/images/usage" | "GET /v1/images/inspect" | "PUT /v1/images";

export function imageRoutes(daemon: Daemon): Pick<ApiRoutes["json"], ImageRoutes> {
  /** The answers of all machines, or of one, and those that do not answer. */
  async function askAll<N extends "image.list" | "image.usage" | "image.inspect">(
    command: N,
    args: Commands[N]["args"],
    { machine: only, signal }: { readonly machine?: string | undefined; readonly signal: AbortSignal },
  ) {
    const member = daemon.member();
    const asked = member
      .membership()
      .machines.filter(({ id }) => (only ?? id) === id)
      .sort((a, b) => a.id.localeCompare(b.id));
    if (only !== undefined && asked.length === 0)
      throw new PloyzError({
        code: "no_such_machine",
        message: `machine ${only} does not exist`,
        hint: "ployzctl machine ls",
      });
    const silent: ImageList["silent"][number][] = [];
    const answers = await Promise.all(
      asked.map(async ({ id: machine }) => {
        try {
          return [{ machine, out: await member.machines.call(machine, command, args, { ...LOOK, signal }) }];
        } catch (error) {
          signal.throwIfAborted();
          silent.push({ machine, error: errorBody(error) });
          return [];
        }
      }),
    );
    return { answers: answers.flat(), silent };
  }
  const commits = () =>
    daemon
      .member()
      .heads()
      .map(({ commit }) => commit);
  return {
    "GET /v1/images": async ({ query: { machine }, signal }): Promise<ImageList> => {
      const { answers, silent } = await askAll("image.list", null, { machine, signal });
      const stored = answers.flatMap(({ machine: id, out }) =>
        out.images.map((image): Stored => ({ ...image, machine: id })),
      );
      return { kind: "images", images: imageRows(stored, commits()), silent };
    },
    "GET /v1/images/usage": async ({ query: { machine, all, ref }, signal }): Promise<ImageStatus> => {
      const args = {
        ...(all !== undefined && { all: true }),
        ...(ref !== undefined && { ref: needRef(ref) }),
      };
      const { answers, silent } = await askAll("image.usage", args, { machine, signal });
      if (ref !== undefined && answers.every(({ out }) => out.content.length === 0))
        throw missing(ref, silent);
      return {
        kind: "image-status",
        machines: answers.map(({ machine: id, out }) => ({ machine: id, ...out })),
        silent,
      };
    },
    "GET /v1/images/inspect": async ({ query: { ref }, signal }): Promise<ImageDocument> => {
      const { answers, silent } = await askAll("image.inspect", { ref: needRef(ref) }, { signal });
      const found = answers.flatMap(({ machine, out }) => (out === null ? [] : [{ machine, image: out }]));
      const [first] = found;
      const digests = new Set(found.map(({ image }) => image.digest));
      if (first === undefined) throw missing(ref ?? "", silent);
      if (digests.size > 1)
        throw new PloyzError({
          code: "image_ambiguous",
          message: `${ref}: different images: ${found.map(({ machine, image }) => `${machine} has ${image.digest}`).join("; ")}`,
          hint: "name it by its digest",
        });
      const { image } = first;
      const rows = imageRows(
        found.map(({ machine }) => ({ digest: image.digest, sizeBytes: 0, at: "", machine })),
        commits(),
      );
      return {
        ...{ kind: "image", ...image, users: rows[0]?.users ?? [] },
        sizeBytes: image.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        machines: found.map(({ machine }) => machine).sort(),
      };
    },
    "PUT /v1/images": async ({ query, request }): Promise<ImagePushed> => {
      const member = daemon.member();
      const { images: store, runtime } = member.substrate;
      const name = query.name === undefined ? undefined : fullName(parseReference(query.name));
      const platform = await platformOf(runtime);
      // A cleaning must not come between the last blob and the name.
      return store.use(async () => {
        const archived = await readArchive(store, request, { name, platform });
        const named = name ?? archived.name;
        await store.name(archived.digest, named, new Date().toISOString());
        return {
          ...{ kind: "image-pushed", digest: archived.digest, sizeBytes: archived.size },
          ...(named !== undefined && { name: shortName(named) }),
          machine: member.membership().machine.id,
        };
      });
    },
  };
}

const missing = (ref: string, silent: ImageList["silent"]): PloyzError =>
  new PloyzError({
    code: "image_missing",
    message: `${ref}: no machine that answers has it`,
    hint: "ployzctl image ls lists the images of all machines",
    details: { silent: silent.map(({ machine }) => machine) },
  });

/** @throws PloyzError `invalid_input` */
function needRef(ref: string | undefined): string {
  try {
    parseReference(ref ?? "");
    return ref ?? "";
  } catch (error) {
    throw new PloyzError({
      code: "invalid_input",
      message: `ref: ${errorBody(error).message}`,
      hint: "a name such as web:v4, a digest, or the beginning of one: ployzctl image ls",
    });
  }
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
