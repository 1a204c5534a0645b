import { join } from "node:path";
import { readFileIfThere, writeFileAtomic } from "@ployz/exec";
import { descriptor } from "../manifest.ts";

/** One image of the store: a manifest that is complete here, by the names that it has. */
export interface Entry {
  /** Of the manifest. */
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
  /** Full name with tag; absent: it is known by its digest only. */
  readonly name?: string;
  /** The name that it had last, where another image got it. */
  readonly former?: string;
  /** RFC 3339: when the name got this digest here. */
  readonly at: string;
}

/** https://github.com/opencontainers/image-spec/blob/main/annotations.md */
const NAME = "org.opencontainers.image.ref.name";
const AT = "io.ployz.image.named-at";
const FORMER = "io.ployz.image.former-name";

/** `index.json` and `oci-layout` of an OCI image layout. */
export async function readIndex(dir: string): Promise<readonly Entry[]> {
  const text = (await readFileIfThere(join(dir, "index.json"))) ?? '{"manifests":[]}';
  const { manifests = [] } = JSON.parse(text) as {
    manifests?: readonly { readonly annotations?: Readonly<Record<string, string>> }[];
  };
  return manifests.map((raw) => {
    const { [NAME]: name, [FORMER]: former, [AT]: at = new Date(0).toISOString() } = raw.annotations ?? {};
    return {
      ...descriptor(raw),
      ...(name !== undefined && { name }),
      ...(former !== undefined && { former }),
      at,
    };
  });
}

export async function writeIndex(dir: string, entries: readonly Entry[]): Promise<void> {
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: entries.map(({ digest, size, mediaType, name, former, at }) => ({
      ...{ mediaType, digest, size },
      annotations: {
        ...(name !== undefined && { [NAME]: name }),
        ...(former !== undefined && { [FORMER]: former }),
        [AT]: at,
      },
    })),
  };
  await writeFileAtomic(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}\n');
  await writeFileAtomic(join(dir, "index.json"), `${JSON.stringify(index, null, 2)}\n`);
}

/** The entries after `name` (or none) gets `image`. A name means one digest; an image without names keeps one entry. Pure. */
export function withEntry(entries: readonly Entry[], added: Entry): readonly Entry[] {
  const kept = entries.flatMap((entry): readonly Entry[] => {
    if (added.name === undefined || entry.name !== added.name || entry.digest === added.digest)
      return [entry];
    const { name: former, ...rest } = entry;
    return [{ ...rest, former }];
  });
  const same = (entry: Entry) =>
    entry.digest === added.digest && (entry.name === added.name || added.name === undefined);
  if (kept.some(same) && !(added.name !== undefined)) return compact(kept);
  return compact([...kept.filter((entry) => !same(entry)), added]);
}

/** Drops entries without a name where the image has one, and repeated ones. */
export function compact(entries: readonly Entry[]): readonly Entry[] {
  const named = new Set(entries.flatMap(({ name, digest }) => (name === undefined ? [] : [digest])));
  const seen = new Set<string>();
  return entries.filter(({ name, digest }) => {
    if (name === undefined && named.has(digest)) return false;
    const key = `${digest} ${name ?? ""}`;
    return !seen.has(key) && seen.add(key) !== undefined;
  });
}
