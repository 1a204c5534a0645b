import { PloyzError } from "../error-codes.ts";
import { isTable, type Table } from "../manifest/document.ts";

export type ComposePath = readonly (string | number)[];

/** What a Compose file has that a manifest cannot have. */
export interface Problem {
  readonly path: ComposePath;
  readonly message: string;
  /** What to use instead. */
  readonly use: string;
}

/** Collects problems while a file is read. */
export interface Report {
  readonly problems: readonly Problem[];
  add(path: ComposePath, message: string, use: string): undefined;
}

export function openReport(): Report {
  const problems: Problem[] = [];
  return {
    problems,
    add(path, message, use) {
      problems.push({ path, message, use });
      return undefined;
    },
  };
}

/** `x-ployz` of a service, a volume or the file: fields of the manifest. */
export function ownFields(table: Table, at: ComposePath, report: Report): Table {
  const own = table["x-ployz"];
  if (own === undefined || isTable(own)) return own ?? {};
  report.add([...at, "x-ployz"], "is not a map", "for example x-ployz: { constraints: { region: eu } }");
  return {};
}

export const pathText = (path: ComposePath): string =>
  path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
    "",
  );

/** Where a problem is; `line`: where it is known. */
export interface Place {
  readonly file: string;
  readonly line: number | undefined;
}

export const placeText = ({ file, line }: Place): string => (line === undefined ? file : `${file}:${line}`);

export const composeError = (place: Place | undefined, { path, message, use }: Problem): PloyzError =>
  new PloyzError({
    code: "invalid_input",
    message: `${place === undefined ? "" : `${placeText(place)}: `}${pathText(path)}: ${message}`,
    hint: use,
    details: { field: pathText(path) },
  });
