import Type, { type Static } from "typebox";
import { count, error, list, object, text } from "../model/schema.ts";

const done = list(object({ what: text(), why: text() }));

/** What a daemon found at its start, and adopted. */
export const AdoptionReport = object({
  at: text(),
  adopted: list(text()),
  recreated: done,
  removed: done,
  failed: list(object({ what: text(), error: error() })),
});
/** Static type of the schema of this name. */
export type AdoptionReport = Static<typeof AdoptionReport>;

const release = { version: text(), build: text(), node: text() };
/** Of one program. */
export const Release = object(release);
/** Answer of `GET /v1/version`. */
export const Version = object({ kind: Type.Literal("version"), ...release });
/** Static type of the schema of this name. */
export type Version = Static<typeof Version>;

/** Answer of `GET /v1/daemon`: the daemon of this machine. */
export const DaemonStatus = object({
  kind: Type.Literal("daemon"),
  running: Type.Literal(true),
  version: text(),
  /** The configuration that it runs with, and the SHA-256 (hex) of the text that it read. */
  config: object({ path: text(), digest: text() }),
  pid: count(),
  uptimeMs: Type.Number(),
  cluster: Type.Optional(text()),
  machine: Type.Optional(text()),
  /** Why this member could not come up; the daemon tries again. */
  down: Type.Optional(error()),
  memoryBytes: count(),
  serviceHost: Type.Enum(["systemd", "s6"]),
  services: list(object({ name: text(), state: text(), pid: Type.Optional(count()) })),
  adoption: AdoptionReport,
});
/** Static type of the schema of this name. */
export type DaemonStatus = Static<typeof DaemonStatus>;

/** Faults of this machine's setup: put right, and remaining. */
export const DaemonKept = object({
  kind: Type.Literal("kept"),
  repaired: list(text()),
  remaining: list(text()),
});
export type DaemonKept = Static<typeof DaemonKept>;
