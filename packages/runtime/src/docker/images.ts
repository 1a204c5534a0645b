import { createInterface } from "node:readline";
import { PassThrough, type Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type Docker from "dockerode";
import { PloyzError } from "../error-codes.ts";
import type { Image, Images, PullProgress } from "../runtime.ts";
import { asDockerError, engine, engineUnless, statusOf } from "./errors.ts";

interface ProgressMessage {
  readonly id?: string;
  readonly status?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
  readonly stream?: string;
}

/** `idOf`: the engine's id of an image whose manifest has this digest, where the engine itself does not know it by that. */
export function dockerImages(
  docker: Docker,
  idOf: (digest: string) => Promise<string | undefined> = async () => undefined,
): Images {
  const inspect = (ref: string) =>
    engineUnless([404], `inspect image ${ref}`, () => docker.getImage(ref).inspect());
  const images: Images = {
    async resolve(ref) {
      const direct = await inspect(ref);
      const id = direct === undefined && ref.startsWith("sha256:") ? await idOf(ref) : undefined;
      const info = id === undefined ? direct : await inspect(id);
      if (info === undefined) return undefined;
      const user = info.Config?.User;
      const namedAt = (info as { Metadata?: { LastTagTime?: string } }).Metadata?.LastTagTime ?? "";
      return {
        ...(!namedAt.startsWith("0001-") && namedAt !== "" && { namedAt: new Date(namedAt).toISOString() }),
        ...image(info.Id, info.RepoDigests ?? [], info.Size, ref),
        ...(info.Architecture !== "" && { arch: info.Architecture }),
        ...(user !== undefined && user !== "" && { user }),
      };
    },
    async pull(ref, options = {}) {
      try {
        const signal = options.signal === undefined ? {} : { abortSignal: options.signal };
        const stream = (await docker.pull(ref, signal)) as Readable;
        for await (const message of messages(stream, options.signal)) {
          if (message.error !== undefined) throw new Error(message.error);
          if (message.status !== undefined) options.onProgress?.(progress(message));
        }
      } catch (error) {
        options.signal?.throwIfAborted();
        throw pullError(ref, error);
      }
      const pulled = await images.resolve(ref);
      if (pulled === undefined) throw pullError(ref, new Error("it is not here after the pull"));
      return pulled;
    },
    has: async (id) => (await images.resolve(id)) !== undefined,
    export: async (ref) => {
      const stream = new PassThrough();
      const source = (await engine(`export image ${ref}`, () => docker.getImage(ref).get())) as Readable;
      source.on("error", (error) => stream.destroy(asDockerError(`export image ${ref}`, error)));
      return source.pipe(stream);
    },
    async import(stream, options = {}) {
      const body = stream.on("error", () => {}); // reported through the request
      const answer = (await engine("import image", () => docker.loadImage(body))) as Readable;
      let loaded: string | undefined;
      for await (const message of messages(answer, options.signal)) {
        if (message.error !== undefined) throw importError(message.error);
        loaded = /^Loaded image(?: ID)?: (\S+)$/m.exec(message.stream ?? "")?.[1] ?? loaded;
      }
      const found = loaded === undefined ? undefined : await images.resolve(loaded);
      if (found === undefined) throw importError("the stream held no image");
      return { id: found.id };
    },
    async untag(name) {
      await engineUnless([404], `untag image ${name}`, () => docker.getImage(name).remove({ noprune: true }));
    },
    async remove(id) {
      const found = await images.resolve(id);
      if (found === undefined) return true;
      const named = (await images.list()).find((one) => one.id === found.id)?.names ?? [];
      if (named.length > 0) return false;
      const removed = await engineUnless([409], `remove image ${id}`, () =>
        docker.getImage(found.id).remove({ noprune: true }),
      ).catch((error: unknown) => {
        if (statusOf(error) === 404) return []; // another caller has removed it
        throw error;
      });
      return removed !== undefined;
    },
    async tag(ref, name) {
      const colon = name.lastIndexOf(":");
      const target =
        colon > name.lastIndexOf("/")
          ? { repo: name.slice(0, colon), tag: name.slice(colon + 1) }
          : { repo: name };
      await engine(`tag image ${ref} as ${name}`, () => docker.getImage(ref).tag(target));
    },
    async list() {
      const all = await engine("list images", () => docker.listImages());
      return all.map((info) => ({
        ...image(info.Id, info.RepoDigests ?? [], info.Size),
        names: (info.RepoTags ?? []).filter((name) => name !== "<none>:<none>"),
        pulledAs: (info.RepoDigests ?? []).filter((name) => name !== "<none>@<none>"),
      }));
    },
  };
  return images;
}

/** The name without tag and digest: `host:5000/app:v2@sha256:…` is `host:5000/app`. */
export function repository(ref: string): string {
  const name = ref.split("@")[0] ?? ref;
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name;
}

function image(id: string, digests: readonly string[], sizeBytes: number, ref?: string): Image {
  const known = digests.filter((digest) => digest !== "<none>@<none>");
  const digest =
    (ref === undefined ? undefined : known.find((entry) => entry.startsWith(`${repository(ref)}@`))) ??
    known[0];
  return { id, sizeBytes, ...(digest !== undefined && { digest }) };
}

/** One JSON document per line; the body's end is the end of the work. */
async function* messages(stream: Readable, signal?: AbortSignal): AsyncGenerator<ProgressMessage> {
  const stop = () => stream.destroy(signal?.reason as Error);
  signal?.addEventListener("abort", stop, { once: true });
  const done = finished(stream, { writable: false });
  done.catch(() => {});
  try {
    for await (const line of createInterface({ input: stream })) {
      if (line.trim() !== "") yield JSON.parse(line) as ProgressMessage;
    }
    await done;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function progress(message: ProgressMessage): PullProgress {
  const { current, total } = message.progressDetail ?? {};
  return {
    layer: message.id ?? "",
    status: message.status ?? "",
    ...(current !== undefined && { bytes: current }),
    ...(total !== undefined && { totalBytes: total }),
  };
}

function pullError(ref: string, error: unknown): Error {
  const known = asDockerError(`pull ${ref}`, error);
  if (known instanceof PloyzError && ["docker_unavailable", "disk_full"].includes(known.code)) return known;
  const message = (error as Error).message;
  const absent = statusOf(error) === 404 || /not found|manifest unknown|does not exist/i.test(message);
  return new PloyzError(
    {
      code: absent ? "image_missing" : "image_pull_failed",
      message: absent ? `no registry has ${ref}: ${message}` : `pull ${ref}: ${message}`,
      hint: absent
        ? "check the name and tag"
        : "can this machine reach the registry? A local image can be distributed from another machine",
      details: { image: ref },
    },
    { cause: error },
  );
}

function importError(why: string): PloyzError {
  return new PloyzError({ code: "image_import_failed", message: `import image: ${why}` });
}
