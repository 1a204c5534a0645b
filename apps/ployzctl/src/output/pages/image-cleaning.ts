import type { ImageDocument, ImageStatus, Json } from "../../api.ts";
import { ago, bytes, type Cell, lines, type Page, table } from "../page.ts";

const short = (digest: string): string => digest.slice(0, "sha256:".length + 12);

export function imageStatusPage({ machines, silent }: ImageStatus, now: number): Page {
  return [
    table(
      "machine",
      ["MACHINE", "STORE", "LAYERS", "DOCKER", "BUNDLES", "PRUNE FREES"],
      machines.map(({ machine, storeBytes, layerBytes, engineBytes, bundleBytes, expiredBytes }) => [
        machine,
        ...[storeBytes, layerBytes, engineBytes, bundleBytes].map(bytes),
        { text: bytes(expiredBytes), tone: expiredBytes > 0 ? "warn" : "dim" },
      ]),
      { empty: "no machine answers" },
    ),
    table(
      "content",
      ["MACHINE", "WHAT", "DIGEST", "SIZE", "SINCE", "KEPT BY"],
      machines.flatMap(({ machine, content }) =>
        content.map(({ kind, names, digest, sizeBytes, at, keptBy, expired }) => [
          machine,
          names.join(" ") || kind,
          short(digest),
          bytes(sizeBytes),
          Date.parse(at) > 0 ? ago(at, now) : "-",
          expired
            ? { text: "nothing: prune removes it", tone: "warn" as const }
            : keptBy.length === 0
              ? { text: "retention", tone: "dim" as const }
              : some(keptBy),
        ]),
      ),
      { empty: "no images and no bundles", drop: ["SINCE", "SIZE"] },
    ),
    ...machines.flatMap(({ machine, waitsFor }) =>
      waitsFor === undefined
        ? []
        : [lines({ text: `machine ${machine} keeps all for now: ${waitsFor}`, tone: "warn" })],
    ),
    ...silent.map(({ machine, error }) =>
      lines({ text: `machine ${machine} does not answer: ${error.message}`, tone: "warn" }),
    ),
  ];
}

const some = (users: readonly string[]): string =>
  users.length > 3 ? `${users.slice(0, 3).join(", ")} and ${users.length - 3} more` : users.join(", ");

export function imagePage(image: ImageDocument): Page {
  const { names, digest, platform, created, sizeBytes, layers, machines, users } = image;
  const list = (name: string, values: readonly string[] | undefined): readonly string[] =>
    values === undefined || values.length === 0 ? [] : [`${name.padEnd(12)}${values.join(" ")}`];
  const argv = (name: string, words: readonly string[] | undefined) =>
    words === undefined ? [] : list(name, [JSON.stringify(words)]);
  const one = (name: string, value: string | undefined) => list(name, value === undefined ? [] : [value]);
  return [
    lines(
      { text: names.join(" ") || short(digest), tone: "strong" },
      ...one("digest", digest),
      ...one("platform", platform),
      ...one("created", created),
      ...one("size", `${bytes(sizeBytes)} in ${layers.length} layers`),
      ...argv("entrypoint", image.entrypoint),
      ...argv("command", image.command),
      ...one("user", image.user),
      ...one("folder", image.workingDir),
      ...one("stop signal", image.stopSignal),
      ...list("ports", image.ports),
      ...list("volumes", image.volumes),
      ...image.env.flatMap((variable) => list("env", [variable])),
      ...Object.entries(image.labels).flatMap(([key, value]) => list("label", [`${key}=${value}`])),
      ...list("machines", machines),
      ...list("used by", users),
    ),
    table(
      "layer",
      ["LAYER", "SIZE"],
      layers.map(({ digest: layer, sizeBytes: size }) => [layer, bytes(size)]),
      { empty: "no layers" },
    ),
  ];
}

type Pruned = {
  readonly kind: "image-prune";
  readonly machines: readonly {
    readonly machine: string;
    readonly freedBytes: number;
    readonly removed: readonly string[];
  }[];
};
type Removed = {
  readonly kind: "image-rm";
  readonly ref: string;
  readonly images: readonly { readonly machine: string; readonly digest: string }[];
  /** After the operation. */
  readonly freedBytes?: number;
};

/** Of `image prune` and `image rm`; empty for the summary of another primitive. */
export function cleaningLines(summary: Json): readonly Cell[] {
  if (isOf<Pruned>("image-prune", summary))
    return summary.machines.map(({ machine, removed, freedBytes }) => ({
      text: `- ${machine}: ${removed.join(", ") || "leftover parts"} (${bytes(freedBytes)})`,
      tone: "bad",
    }));
  if (isOf<Removed>("image-rm", summary))
    return [
      ...summary.images.map(
        ({ machine, digest }): Cell => ({
          text: `- ${machine}: ${summary.ref} (${short(digest)})`,
          tone: "bad",
        }),
      ),
      ...(summary.freedBytes === undefined ? [] : [`freed ${bytes(summary.freedBytes)}`]),
    ];
  return [];
}

const isOf = <T extends { readonly kind: string }>(
  kind: T["kind"],
  value: unknown,
): value is T & Record<string, Json> =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
