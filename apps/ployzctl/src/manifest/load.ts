import { readdir, readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { type ErrorBody, errorBody } from "@ployz/errors";
import { checkManifest, type Manifest, readDocument } from "@ployz/primitives";
import { DIGEST } from "@ployz/primitives/protocol";
import type { Context } from "../command.ts";
import { type Place, placeText } from "../compose/report.ts";
import { usage } from "../errors.ts";
import { whyUnreadable } from "../files.ts";
import { withContent } from "./content.ts";
import { isTable, mapStrings, mapWorkloads, merged, type Table } from "./document.ts";
import { readEnvFile, withEnvFile } from "./env-file.ts";
import { interpolate, type Variables } from "./interpolate.ts";
import { withSetting } from "./set.ts";

export interface ManifestFiles {
  /** In the order in which they are laid over each other; none: the default file. `-`: stdin. */
  readonly files: readonly string[];
  /** `PATH=VALUE` each, over the files. */
  readonly settings: readonly string[];
  /** Whose variables are put into strings; none: no string is changed. */
  readonly envFiles: readonly string[];
  /** Instead of the manifest's. */
  readonly namespace?: string;
}

export type Loaded =
  | {
      readonly ok: true;
      readonly manifest: Manifest;
      readonly folder: string;
      /** The files, for messages. */
      readonly file: string;
      /** A `compose.override.yaml` beside the file that was not named, and so not read. */
      readonly unread?: string;
      /** The namespace that the files name. */
      readonly named: string;
    }
  | { readonly ok: false; readonly refusals: readonly ErrorBody[] };

const DEFAULT_FILES = ["ployz.toml", "ployz.json", "compose.yaml", "compose.yml"];
const isCompose = (file: string): boolean => /\.ya?ml$/.test(file);

/** Reads, merges and checks manifests and Compose files. @throws PloyzError `usage`. */
export async function loadManifest(
  context: Pick<Context, "terminal">,
  given: ManifestFiles,
): Promise<Loaded> {
  const { terminal } = context;
  const read = await Promise.all(
    (given.files.length === 0 ? [undefined] : given.files).map((file) => readText(context, file)),
  );
  const variables: Variables | undefined =
    given.envFiles.length === 0
      ? undefined
      : Object.assign(
          {},
          ...(await Promise.all(
            given.envFiles.map((file) => readEnvFile(resolve(terminal.cwd, file), `--env-file ${file}`)),
          )),
        );
  const [first] = read;
  const isComposed = read.some(({ file }) => isCompose(file));
  const other = isComposed ? read.find(({ file }) => !isCompose(file)) : undefined;
  if (other !== undefined)
    throw usage(
      `-f: ${other.file} is a manifest, and a Compose file is named too: one cannot be laid over the other`,
      "ployzctl compose convert makes a manifest of the Compose files",
    );
  let document: Table = {};
  let placeOf: PlaceOf = () => undefined;
  // Compose files are merged by Compose's rules, and their paths are relative to the first of them.
  for (const [one, ...more] of isComposed ? [read] : read.map((text) => [text])) {
    if (one === undefined) continue;
    const found = isComposed
      ? await composed([one, ...more], variables, given.namespace)
      : documentOf(one, variables);
    if (!found.ok) return found;
    if (found.placeOf !== undefined) placeOf = found.placeOf;
    // Paths are those of the file that has them.
    const own = !isComposed && read.length > 1 ? withFolder(found.document, one.folder) : found.document;
    const whole = await mapWorkloads(own, async (spec) =>
      withContent(await withEnvFile(spec, one.folder), one.folder),
    );
    document = merged(document, whole) as Table;
  }
  for (const setting of given.settings) document = await withSetting(document, setting);
  const named = document.namespace;
  if (given.namespace !== undefined) document = { ...document, namespace: given.namespace };
  const checked = checkManifest(document);
  const file = read.map(({ file }) => file).join(", ");
  if (!checked.ok) return refused(checked.refusals, file, placeOf);
  const { manifest } = checked;
  const folder = first?.folder ?? terminal.cwd;
  const unread = isComposed && read.length === 1 ? await overrideIn(folder) : undefined;
  return {
    ...{ ok: true, manifest, file, folder, ...(unread !== undefined && { unread }) },
    named: typeof named === "string" ? named : manifest.namespace,
  };
}

/** Where a field is written, if a file tells. */
type PlaceOf = (field: string) => Place | undefined;

const refused = (refusals: readonly ErrorBody[], file: string, placeOf: PlaceOf = () => undefined) => ({
  ok: false as const,
  refusals: refusals.map((body) => {
    const { field } = (body.details ?? {}) as { readonly field?: unknown };
    const place = typeof field === "string" ? placeOf(field) : undefined;
    return { ...body, message: `${place?.line === undefined ? file : placeText(place)}: ${body.message}` };
  }),
});

/** Docker Compose reads this file by itself; it mostly has settings of a developer's computer. */
async function overrideIn(folder: string): Promise<string | undefined> {
  const names = ["compose.override", "docker-compose.override"].flatMap((name) => [
    `${name}.yaml`,
    `${name}.yml`,
  ]);
  const there = await readdir(folder).catch((): string[] => []);
  return names.find((name) => there.includes(name));
}

interface Text {
  readonly file: string;
  readonly text: string;
  readonly folder: string;
}

type Read =
  | { readonly ok: true; readonly document: Table; readonly placeOf?: PlaceOf }
  | Extract<Loaded, { ok: false }>;

async function composed(
  texts: readonly Text[],
  variables: Variables | undefined,
  namespace: string | undefined,
): Promise<Read> {
  const { composeManifest } = await import("../compose/convert.ts");
  const { document, errors, placeOf } = composeManifest(texts, {
    ...(namespace !== undefined && { namespace }),
    ...(variables !== undefined && { variables }),
  });
  return errors.length > 0 ? { ok: false, refusals: errors.map(errorBody) } : { ok: true, document, placeOf };
}

function documentOf({ file, text }: Text, variables: Variables | undefined): Read {
  const read = readDocument(text, formatOf(file, text));
  if (!read.ok) return refused(read.refusals, file);
  if (!isTable(read.document)) {
    const checked = checkManifest(read.document);
    return refused(checked.ok ? [] : checked.refusals, file);
  }
  if (variables === undefined) return { ok: true, document: read.document };
  const missing = (name: string, message = "has no value in the file of --env-file"): never => {
    throw usage(`${file}: variable ${name} ${message}`, "write $$ for a dollar sign");
  };
  return {
    ok: true,
    document: mapStrings(read.document, (word) => interpolate(word, variables, missing)) as Table,
  };
}

const RENDERED = new RegExp(DIGEST);

/** The paths of bundles and builds made absolute. */
function withFolder(document: Table, folder: string): Table {
  const all = ["services", "jobs"].flatMap((kind): [string, Table][] => {
    const workloads = document[kind];
    if (!isTable(workloads)) return [];
    const moved = Object.entries(workloads).map(([name, spec]) => {
      if (!isTable(spec)) return [name, spec];
      const { bundle, build } = spec;
      const context = isTable(build) ? build.context : build;
      const paths = {
        ...(typeof bundle === "string" && !RENDERED.test(bundle) && { bundle: resolve(folder, bundle) }),
        ...(typeof context === "string" && {
          build: isTable(build) ? { ...build, context: resolve(folder, context) } : resolve(folder, context),
        }),
      };
      return [name, { ...spec, ...paths }];
    });
    return [[kind, Object.fromEntries(moved) as Table]];
  });
  return { ...document, ...Object.fromEntries(all) };
}

const formatOf = (file: string, text: string): "toml" | "json" =>
  extname(file) === ".json" || (extname(file) !== ".toml" && /^\s*\{/.test(text)) ? "json" : "toml";

async function readText({ terminal }: Pick<Context, "terminal">, file: string | undefined): Promise<Text> {
  if (file === "-") {
    const chunks: Buffer[] = [];
    for await (const chunk of terminal.stdin) chunks.push(Buffer.from(chunk as Buffer));
    return { file: "stdin", text: Buffer.concat(chunks).toString("utf8"), folder: terminal.cwd };
  }
  for (const name of file === undefined ? DEFAULT_FILES : [file]) {
    const path = resolve(terminal.cwd, name);
    try {
      return { file: name, text: await readFile(path, "utf8"), folder: dirname(path) };
    } catch (error) {
      const failure = error as NodeJS.ErrnoException;
      if (failure.code === "ENOENT" && file === undefined) continue;
      throw usage(`${name}: ${whyUnreadable(failure)}`, "name the manifest: -f FILE");
    }
  }
  throw usage(
    `found no ${DEFAULT_FILES.slice(0, 3).join(", ")} in this folder`,
    "name the manifest: -f FILE",
  );
}
