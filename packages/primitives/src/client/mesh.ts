import Type, { type Static } from "typebox";
import { ClusterRecord, MachineRecord } from "../model/machine.ts";
import { count, list, object, text } from "../model/schema.ts";

/** Identity of this machine: public keys and endpoints. */
export const SelfRecord = object({
  kind: Type.Literal("self-record"),
  publicKey: text(),
  nkey: text(),
  endpoints: list(text()),
  hostname: text(),
  runtime: Type.Enum(["docker", "process"]),
  version: text(),
  cluster: Type.Optional(text()),
  machine: Type.Optional(text()),
  region: Type.Optional(text()),
  az: Type.Optional(text()),
});
/** Static type of the schema of this name. */
export type SelfRecord = Static<typeof SelfRecord>;
/** This machine's place in the mesh, and its peers. */
export const MeshStatus = object({
  kind: Type.Literal("mesh"),
  joined: Type.Boolean(),
  cluster: Type.Optional(ClusterRecord),
  machine: Type.Optional(MachineRecord),
  wireguard: Type.Optional(Type.Enum(["kernel", "userspace"])),
  store: Type.Optional(Type.Enum(["connected", "unreachable"])),
  peers: list(
    object({
      id: text(),
      endpoint: Type.Optional(text()),
      handshakeAgeMs: Type.Optional(Type.Number()),
      rxBytes: count(),
      txBytes: count(),
    }),
  ),
});
/** Static type of the schema of this name. */
export type MeshStatus = Static<typeof MeshStatus>;

/** `kept`: the datasets of its volumes. */
export const MeshLeft = object({
  kind: Type.Literal("left"),
  left: Type.Boolean(),
  kept: Type.Optional(list(text())),
});
export type MeshLeft = Static<typeof MeshLeft>;
