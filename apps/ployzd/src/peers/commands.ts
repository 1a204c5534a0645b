import type { StoreRecord } from "@ployz/nats-store";
import type { Shape } from "@ployz/primitives/host";
import type { Json, SecretRef } from "@ployz/primitives/protocol";
import { InstanceAsk, label, RUN_ID, type RunState } from "@ployz/primitives/protocol";
import Type from "typebox";

const none = Type.Null();
const generation = Type.Integer({ minimum: 0 });
const port = Type.Integer({ minimum: 1, maximum: 65_535 });
const secret = { namespace: label("A namespace."), name: label("A secret.") };

/** Which store it is, and the `host:port` of each server. */
const StorePlace = Type.Object({ generation, servers: Type.Array(Type.String()) });
export type StorePlace = Shape<typeof StorePlace>;

/** A backup on a machine, to be fetched once, by the machine that it was made for. */
const Parcel = Type.Object({ machine: label("Where it is."), token: Type.String(), sha256: Type.String() });
export type Parcel = Shape<typeof Parcel>;

const servers = Type.Array(
  Type.Object({
    ...{ machine: label("A machine."), host: Type.String() },
    ...{ port, routePort: port, monitorPort: port },
  }),
  { minItems: 1 },
);
/** One machine's part in one re-founding. */
const step = Type.Object({ generation, id: Type.String() });
const copy = Type.Object({ generation, to: label("The machine that fetches it.") });

/** Calls between daemons that need no store: the arguments of each command, validated by the callee. */
export const ARGS = {
  "store.look": none,
  "store.ready": Type.Object({ generation }),
  "store.record": none,
  "store.fence": step,
  "store.unfence": step,
  "store.retire": step,
  "store.found": Type.Object({
    ...{ generation, id: Type.String(), servers, routeSecret: Type.String() },
    sealKey: Type.Optional(Type.String()),
  }),
  "store.seal-key": none,
  "store.serve": step,
  "store.drop": step,
  "store.stop": Type.Object({ generation }),
  "store.moved": StorePlace,
  "store.where": none,
  "store.copy": copy,
  "store.mirror": copy,
  "store.carry": Type.Object({
    set: Type.Object({ generation, servers }),
    parcel: Parcel,
    /** The present members, where they differ from the backup's: facts `cluster`, `machine.…` and `subnet.…`. */
    members: Type.Union([Type.Record(Type.String(), Type.Unsafe<Json>({})), Type.Null()]),
  }),
  "secret.set": Type.Object({
    ...{ ...secret, value: Type.String({ writeOnly: true }), private: Type.Boolean(), by: Type.String() },
  }),
  "secret.remove": Type.Object(secret),
  "secret.read": Type.Array(Type.Object({ ...secret, version: Type.String() })),
  "secret.held": none,
  "certificate.copy": Type.Object({ name: Type.String(), fingerprint: Type.String() }),
  "stream.offer": InstanceAsk,
  "run.list": none,
  "run.stop": Type.Object({ id: Type.String({ pattern: RUN_ID, description: "a run" }) }),
} as const;

/** One machine's part in the store. */
export type Look = {
  readonly record: StoreRecord | null;
  /** The re-founding that this machine's daemon is running. */
  readonly coordinating: string | null;
  /** The newest generation it knows, and the last revisions of its mirror. */
  readonly view: { readonly generation: number; readonly commits: number; readonly facts: number };
  /** Its server of the newest generation, if one runs. */
  readonly server: { readonly healthy: boolean; readonly version: string } | null;
  /** Its daemon writes to closed secrets. Absent: a version from before they were closed. */
  readonly closesSecrets?: true;
};

type Changed = { readonly changed: boolean };

/** Commands that answer with nothing are not listed. */
interface Answers {
  "store.look": Look;
  "store.ready": { readonly problems: readonly string[] };
  "store.record": StoreRecord | null;
  "store.seal-key": string | null;
  "store.where": StorePlace;
  "store.copy": Parcel;
  "store.mirror": { readonly parcel: Parcel };
  "secret.set": Changed;
  "secret.remove": Changed;
  "secret.read": readonly string[];
  "secret.held": readonly SecretRef[];
  /** Chain and key, as the gateway of the machine serves them; absent: it has another one, or none. */
  "certificate.copy": { readonly pem?: string };
  /** Redeemed once, on the transfer port. */
  "stream.offer": { readonly token: string };
  "run.list": readonly RunState[];
  "run.stop": { readonly stopped: boolean };
}

export type PeerCommand = keyof typeof ARGS;
export type PeerCommands = {
  readonly [N in PeerCommand]: {
    readonly args: Shape<(typeof ARGS)[N]>;
    // biome-ignore lint/suspicious/noConfusingVoidType: it is what the handler resolves with
    readonly out: N extends keyof Answers ? Answers[N] : void;
  };
};

export const isPeerCommand = (name: string): name is PeerCommand => Object.hasOwn(ARGS, name);
