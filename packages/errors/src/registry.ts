import type { ErrorBody, PloyzError } from "./error.ts";

/** The chapters of docs/errors.md. */
export const AREAS = {
  command: "Command line",
  machine: "This machine",
  network: "Networks",
  members: "Members of the cluster",
  invites: "Invites",
  tokens: "Tokens",
  ssh: "SSH",
  update: "Updating machines",
  deploy: "Namespaces, commits and placement",
  instances: "Instances and images",
  volumes: "Volumes",
  backups: "Backups",
  zfs: "ZFS",
  certificates: "Certificates",
  secrets: "Secrets",
  store: "The store",
  operations: "Operations and calls between machines",
  gateway: "Gateway and DNS",
} as const;

/**
 * Exit codes of `ployzctl` for an error; `failed` is for codes that only an operation which had begun ends with, `unknown` for those of one
 * that may have committed, or may still commit.
 */
export const EXIT_OF = {
  failed: 1,
  usage: 2,
  precondition: 3,
  unreachable: 4,
  unknown: 5,
  aborted: 130,
} as const;

/** A chapter of docs/errors.md. */
export type Area = keyof typeof AREAS;
/** A class of exit codes: see `EXIT_OF`. */
export type ErrorExit = keyof typeof EXIT_OF;

/** What the registry knows of one code. */
export interface ErrorEntry {
  readonly area: Area;
  /** One sentence. */
  readonly meaning: string;
  readonly exit: number;
}

type Definitions = {
  readonly [A in Area]?: { readonly [E in ErrorExit]?: { readonly [code: string]: string } };
};
type CodesOf<D> = { [A in keyof D]: { [E in keyof D[A]]: keyof D[A][E] }[keyof D[A]] }[keyof D] & string;

/** A package's registry: its codes by chapter and exit code, each with its meaning. */
export function defineErrors<const D extends Definitions>(
  definitions: D,
): Readonly<Record<CodesOf<D>, ErrorEntry>> {
  const entries = Object.entries(definitions).flatMap(([area, exits]) =>
    Object.entries(exits).flatMap(([exit, meanings]) =>
      Object.entries(meanings as Record<string, string>).map(([code, meaning]) => [
        code,
        { area, meaning, exit: EXIT_OF[exit as ErrorExit] },
      ]),
    ),
  );
  return Object.fromEntries(entries) as Record<CodesOf<D>, ErrorEntry>;
}

/** `PloyzError` for one package: constructed only with the codes of its registry. */
export interface ErrorClass<Code extends string> {
  new (body: ErrorBody<Code>, options?: { readonly cause?: unknown }): PloyzError;
}
