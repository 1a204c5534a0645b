import { list, object, text } from "@ployz/primitives/documents";
import Type, { type Static } from "typebox";

export const DaemonInstalled = object({
  kind: Type.Literal("daemon-installed"),
  service: Type.Enum(["installed", "unchanged", "replaced"]),
  serviceHost: Type.Enum(["systemd", "s6"]),
  version: text(),
  socket: text(),
  config: text(),
  /** Other files and groups that were created or changed. */
  changed: list(text()),
  /** Faults of this machine's setup that are put right, and those that remain. */
  repaired: Type.Optional(list(text())),
  remaining: Type.Optional(list(text())),
});
export type DaemonInstalled = Static<typeof DaemonInstalled>;
export const DaemonStopped = object({ kind: Type.Literal("daemon-stopped"), stopped: Type.Boolean() });
export type DaemonStopped = Static<typeof DaemonStopped>;
export const DaemonUninstalled = object({
  kind: Type.Literal("daemon-uninstalled"),
  removed: list(text()),
  kept: list(text()),
});
export type DaemonUninstalled = Static<typeof DaemonUninstalled>;
