import { isTable, merged, type Table } from "../manifest/document.ts";
import type { Variables } from "../manifest/interpolate.ts";
import { readDefinitions } from "./files.ts";
import { mergedTrees } from "./merge.ts";
import { checkShape, parseYaml, withVariables } from "./read.ts";
import { type ComposePath, composeError, openReport, ownFields, type Place, type Report } from "./report.ts";
import { convertService } from "./service.ts";
import { type Origin, originOf, plain, type Tree, treeOf, withoutReset } from "./tree.ts";
import { scalarText } from "./words.ts";

const TOP: Readonly<Record<string, string>> = {
  include: "name the files: -f FILE -f FILE",
  models: "leave it out",
  networks: "leave it out: services of a namespace reach each other by name",
};

export interface ComposeOptions {
  /** Instead of the files' `name`. */
  readonly namespace?: string;
  /** Of `--env-file`; absent: none was named. */
  readonly variables?: Variables;
}

export interface ComposeText {
  /** As the operator wrote it. */
  readonly file: string;
  readonly text: string;
}

/**
 * Compose files, laid over each other, as a manifest, which is not checked yet. `errors`: every problem with file, line, key and what to use.
 * @throws PloyzError `invalid_input`: a file is not YAML.
 */
export function composeManifest(
  texts: readonly ComposeText[],
  { namespace, variables }: ComposeOptions,
): {
  readonly document: Table;
  readonly errors: readonly Error[];
  /** What the field of a refused manifest was made of. */
  placeOf(field: string): Place | undefined;
} {
  const errors: Error[] = [];
  const files = texts.map(({ file, text }) => ({ file, ...parseYaml(text, file) }));
  const placeOf = ({ file: index, path }: Origin): Place | undefined => {
    const one = files[index];
    return one && { file: one.file, line: one.lineOf(path) };
  };
  const collect = (report: Report, originOfProblem: (path: ComposePath) => Origin) => {
    for (const problem of report.problems) {
      const origin = originOfProblem(problem.path);
      errors.push(composeError(placeOf(origin), { ...problem, path: origin.path }));
    }
  };
  let whole: Tree | undefined;
  for (const [index, { document, tagOf }] of files.entries()) {
    const report = openReport();
    const over = treeOf(withVariables(document, variables, report), { file: index, path: [] }, tagOf);
    whole = whole === undefined ? withoutReset(over) : mergedTrees(whole, over, report);
    collect(report, (path) => ({ file: index, path }));
  }
  const tree = whole ?? treeOf({}, { file: 0, path: [] }, () => undefined);
  const document = plain(tree) as Table;
  const report = openReport();
  if (errors.length === 0) checkShape(document, report);
  const isValid = errors.length === 0 && report.problems.length === 0;
  const manifest = isValid ? convert(document, namespace, report) : {};
  collect(report, (path) => originOf(tree, path));
  return {
    ...{ document: manifest, errors },
    placeOf: (field) => placeOf(originOf(tree, composePath(field))),
  };
}

/** Where a Compose file has what a manifest has under another name. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ env: "environment", after: "depends_on", ready: "healthcheck", routes: "ports", jobs: "services" },
  ...{ stop_grace: "stop_grace_period", resources: "deploy", update: "deploy", replicas: "deploy" },
};
const composePath = (field: string): readonly string[] =>
  (field.match(/[^.[\]]+/g) ?? []).map((part) => (Object.hasOwn(NAMES, part) ? (NAMES[part] ?? part) : part));

function convert(document: Table, namespace: string | undefined, report: Report): Table {
  for (const key of Object.keys(document)) {
    // Compose itself gives `version` no meaning.
    if (
      ["configs", "name", "secrets", "services", "volumes", "version"].includes(key) ||
      key.startsWith("x-")
    )
      continue;
    report.add([key], "is not supported", Object.hasOwn(TOP, key) ? (TOP[key] ?? "") : "check its spelling");
  }
  const name = namespace ?? document.name;
  if (name === undefined)
    report.add(["name"], "is missing", "name the namespace: --namespace NS, or name: NS in the file");
  const given = Object.entries(isTable(document.services) ? document.services : {});
  if (given.length === 0) report.add(["services"], "there is no service", "add one");
  const definitions = readDefinitions(document, report);
  const jobs = new Set(given.flatMap(([, service]) => completed(service)));
  const converted = given.map(([key, service]): [string, Table] => [
    key,
    convertService(isTable(service) ? service : {}, ["services", key], {
      ...{ report, job: jobs.has(key), ...definitions },
    }),
  ]);
  const services = converted.filter(([key]) => !jobs.has(key));
  const volumes = convertVolumes(document.volumes, services, report);
  const done = converted.filter(([key]) => jobs.has(key));
  const whole = {
    namespace: name,
    ...(services.length > 0 && { services: Object.fromEntries(services) }),
    ...(done.length > 0 && { jobs: Object.fromEntries(done) }),
    ...(Object.keys(volumes).length > 0 && { volumes }),
  };
  return merged(whole, ownFields(document, [], report)) as Table;
}

/** The services that must have ended well before this one starts. */
function completed(service: unknown): readonly string[] {
  const after = isTable(service) ? service.depends_on : undefined;
  return Object.entries(isTable(after) ? after : {}).flatMap(([name, entry]) =>
    isTable(entry) && entry.condition === "service_completed_successfully" ? [name] : [],
  );
}

/** A volume that several instances have is shared. */
function convertVolumes(
  value: unknown,
  services: readonly (readonly [string, Table])[],
  report: Report,
): Table {
  const convertVolume = ([name, volume]: readonly [string, unknown]): [string, Table] => {
    const { driver, ...rest } = isTable(volume) ? volume : {};
    if (driver !== undefined && driver !== "local")
      report.add(["volumes", name, "driver"], `${scalarText(driver)} is not supported`, "leave it out");
    for (const key of Object.keys(rest))
      if (key !== "x-ployz") report.add(["volumes", name, key], "is not supported", "leave it out");
    const users = services.filter(([, service]) => isTable(service.volumes) && name in service.volumes);
    const several = users.length > 1 || users.some(([, service]) => Number(service.replicas ?? 1) > 1);
    return [name, { ...(several && { scope: "shared" }), ...ownFields(rest, ["volumes", name], report) }];
  };
  return Object.fromEntries(Object.entries(isTable(value) ? value : {}).map(convertVolume));
}
