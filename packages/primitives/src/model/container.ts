import Type, { type Static } from "typebox";
import { count, list, map, object, text } from "./schema.ts";

const fileFields = {
  /** Permission bits. */
  mode: count(),
  /** Numbers inside the instance; absent: root. */
  owner: Type.Optional(object({ uid: count(), gid: count() })),
};

/** A file of an instance, which it sees read-only. */
export const FileSpec = Type.Union([
  object({ text: text(), ...fileFields }),
  object({ base64: text(), ...fileFields }),
  /** The name of a secret, whose value is nowhere in a commit. */
  object({ secret: text(), ...fileFields }),
]);
/** Static type of the schema of this name. */
export type FileSpec = Static<typeof FileSpec>;

/** What an instance's programs have of the kernel, where it differs from the default. Sizes are bytes. */
export const ContainerSpec = object({
  /** Folders in memory, by path. */
  tmpfs: Type.Optional(map(count())),
  readOnly: Type.Optional(Type.Literal(true)),
  /** Of /dev/shm. */
  shmBytes: Type.Optional(count()),
  /** By the names of getrlimit(2), lower-case. */
  ulimits: Type.Optional(map(object({ soft: count(), hard: count() }))),
  /** Capabilities that root does not have, without `CAP_`; `ALL` is all but those of `capAdd`. */
  capDrop: Type.Optional(list(text())),
  /** Capabilities that root has besides the default ones. */
  capAdd: Type.Optional(list(text())),
  /** Further groups of the instance's programs: names or numbers. */
  groupAdd: Type.Optional(list(text())),
  /** Files and folders of the machine, by path. */
  binds: Type.Optional(map(object({ source: text(), readOnly: Type.Optional(Type.Literal(true)) }))),
  /** Devices of the machine, or folders of them, by path below /dev. */
  devices: Type.Optional(map(text())),
  /** The first process is one that passes signals on and reaps. */
  init: Type.Optional(Type.Literal(true)),
  sysctls: Type.Optional(map(text())),
  /** IPv4 addresses by name, for /etc/hosts. */
  extraHosts: Type.Optional(map(text())),
});
/** Static type of the schema of this name. */
export type ContainerSpec = Static<typeof ContainerSpec>;
