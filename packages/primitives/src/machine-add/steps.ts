import type { Primitive, StepContext } from "../engine/types.ts";
import { PloyzError } from "../model/error.ts";
import type { Json } from "../model/json.ts";
import type { ClusterRecord, MachineRecord } from "../model/machine.ts";
import type { MachineAddInput } from "./input.ts";
import type { MachineAddFacts, MachineAddPorts } from "./observe.ts";
import type { MachineAddKinds } from "./plan.ts";

type Steps = Primitive<MachineAddPorts, MachineAddInput, MachineAddFacts, MachineAddKinds, Json>["steps"];

const MINUTE = 60_000;

/** What `ployzctl mesh self-record --json` answers: see `SelfRecord` in client/api.ts. */
type Self = { readonly publicKey: string; readonly nkey: string; readonly endpoints: readonly string[] };

export const reserved = (context: Pick<StepContext<MachineAddPorts>, "output">, step: string) =>
  context.output(step) as unknown as { readonly revision: number; readonly record: MachineRecord };

export const steps: Steps = {
  "packages.install": {
    timeoutMs: () => 10 * MINUTE,
    retryTransient: false,
    async apply({ target, packages }, { ports, signal }) {
      await ports.remote.installPackages(target, packages, signal);
      return null;
    },
  },
  "payload.install": {
    timeoutMs: () => 10 * MINUTE,
    retryTransient: false,
    apply: ({ target }, { ports, operation, progress, signal }) =>
      ports.remote.installPayload(
        target,
        operation,
        (done, total) => progress("uploading", { done, total }),
        signal,
      ),
    undo: ({ target }, { ports, operation, signal }) => ports.remote.removePayload(target, operation, signal),
  },
  "daemon.install": {
    timeoutMs: () => 2 * MINUTE,
    retryTransient: false,
    async apply({ target, runtime, region, az }, { ports, signal }) {
      const placement = [
        ...(region === undefined ? [] : ["--region", region]),
        ...(az === undefined ? [] : ["--az", az]),
      ];
      await ports.remote.ployzctl(
        target,
        ["daemon", "install", "--runtime", runtime === "process" ? "host" : "docker", ...placement],
        undefined,
        signal,
      );
      return null;
    },
    async undo({ target, fresh }, { ports, signal }) {
      if (fresh)
        await ports.remote.ployzctl(target, ["daemon", "uninstall", "--if-installed"], undefined, signal);
    },
  },
  "mesh.leave": {
    timeoutMs: () => MINUTE,
    retryTransient: false,
    async apply({ target }, { ports, signal }) {
      await ports.remote.ployzctl(target, ["mesh", "leave"], undefined, signal);
      return null;
    },
  },
  "seat.reserve": {
    timeoutMs: () => MINUTE,
    retryTransient: true,
    async apply({ target, seat }, { ports, operation, signal }) {
      const self = (await ports.remote.ployzctl(
        target,
        ["mesh", "self-record", "--address", target.host],
        undefined,
        signal,
      )) as unknown as Self;
      const record: MachineRecord = {
        ...seat,
        state: "joining",
        publicKey: self.publicKey,
        nkey: self.nkey,
        endpoints: self.endpoints,
        store: false,
        operation,
      };
      await take(ports, `subnet.${seat.index}`, { machine: seat.id, operation });
      const revision = await take(ports, `machine.${seat.id}`, record);
      return { revision, record };
    },
    async undo({ seat }, { ports, operation }) {
      await giveBack(ports, `machine.${seat.id}`, operation);
      await giveBack(ports, `subnet.${seat.index}`, operation);
    },
  },
  "members.await": {
    timeoutMs: () => 30_000,
    retryTransient: true,
    apply: ({ seat, reserve }, context) =>
      context.call(
        seat,
        "membership.await",
        { revision: reserved(context, reserve).revision },
        { timeoutMs: 25_000, signal: context.signal },
      ),
  },
  "mesh.join": {
    timeoutMs: () => 2 * MINUTE,
    retryTransient: false,
    async apply({ target, reserve, storeServers }, { ports, signal, output }) {
      const [cluster, machines] = await Promise.all([
        ports.store.facts.get("cluster"),
        ports.store.facts.list("machine"),
      ]);
      if (cluster === undefined) throw new Error("the cluster record is gone");
      const document = {
        v: 1,
        cluster: cluster.value as unknown as ClusterRecord,
        machine: reserved({ output }, reserve).record,
        machines: machines.map((entry) => entry.value),
        storeServers,
      };
      await ports.remote.ployzctl(
        target,
        ["mesh", "join", "--document-stdin"],
        JSON.stringify(document),
        signal,
      );
      return null;
    },
    async undo({ target }, { ports, signal }) {
      await ports.remote.ployzctl(target, ["mesh", "leave"], undefined, signal);
    },
  },
  "handshake.await": {
    timeoutMs: () => 45_000,
    retryTransient: true,
    apply: ({ id, machines }, context) =>
      context.call(
        id,
        "membership.handshake",
        { machines, timeoutMs: 20_000 },
        { timeoutMs: 25_000, signal: context.signal },
      ),
  },
};

/** Creates the fact, or finds that this operation has created it already. */
async function take(
  ports: MachineAddPorts,
  key: string,
  value: { readonly operation: string } & Json,
): Promise<number> {
  const written = await ports.store.facts.put(key, value, 0);
  if (written.ok) return written.revision;
  if (written.current !== undefined && ownerOf(written.current.value) === value.operation)
    return written.current.revision;
  throw new PloyzError({
    code: "conflict",
    message: `${key} was taken meanwhile`,
    hint: "run the same command again",
  });
}

async function giveBack(ports: MachineAddPorts, key: string, operation: string): Promise<void> {
  const present = await ports.store.facts.get(key);
  if (present === undefined || ownerOf(present.value) !== operation) return;
  const removed = await ports.store.facts.remove(key, present.revision);
  if (!removed.ok)
    throw new PloyzError({
      code: "conflict",
      message: `${key} changed while it was given back`,
      hint: "run the same command again",
    });
}

const ownerOf = (value: Json): unknown =>
  typeof value === "object" && value !== null && "operation" in value ? value.operation : undefined;
