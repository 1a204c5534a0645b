import type { InstanceRow, MachineRow, NamespaceRow, VolumeRow } from "@ployz/primitives/client";
import { type Unreadable, unreadable } from "@ployz/primitives/host";
import type { OperationSummary } from "@ployz/primitives/protocol";

import { crashWarnings } from "./crash-loops.ts";
import type { Warning } from "./warning-codes.ts";

export interface Seen {
  /** The observing machine. */
  readonly self: string;
  readonly machines: readonly MachineRow[];
  readonly instances: readonly InstanceRow[];
  readonly namespaces: readonly NamespaceRow[];
  readonly volumes: readonly VolumeRow[];
  /** Namespaces are apart, or the operator wants them not to be. */
  readonly isolated: boolean;
  /** Records of the store that were passed over. */
  readonly unreadable: readonly Unreadable[];
  /** Running, interrupted, or owing cleanup. */
  readonly open: readonly OperationSummary[];
  /** False: it did not answer, so other machines could not be asked either. */
  readonly storeAnswers: boolean;
  /** The cluster has removed this machine. */
  readonly removed: boolean;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** Warnings for the operator, worst first, each with a hint. Pure. */
export function warningsOf(seen: Seen): readonly Warning[] {
  if (seen.removed)
    return [
      {
        code: "removed",
        about: seen.self,
        message: `this machine, ${seen.self}, was removed from the cluster`,
        hint: "clean it up: ployzctl mesh leave",
      },
    ];
  return [
    ...storeWarnings(seen),
    ...unreadableWarnings(seen.unreadable),
    ...(seen.isolated ? [] : [FLAT]),
    ...aloneWarning(seen),
    ...machineWarnings(seen),
    ...spaceWarnings(seen),
    ...versionWarnings(seen),
    ...volumeWarnings(seen),
    ...namespaceWarnings(seen),
    ...suspendedWarnings(seen),
    ...crashWarnings(seen.instances, seen.now),
    ...seen.instances
      .filter(({ state }) => state === "stray" && seen.open.length === 0)
      .map(
        ({ id, machine, namespace }): Warning => ({
          code: "instance_stray",
          about: id,
          message: `${id} on ${machine} belongs to no commit`,
          hint: `remove what no commit of ${namespace} names: ployzctl namespace prune ${namespace}`,
        }),
      ),
    ...seen.open
      .filter(({ state }) => state !== "running")
      .map(
        ({ operation, primitive, state }): Warning => ({
          code: "operation_open",
          about: operation,
          message: `${primitive} ${operation} is ${state}`,
          hint: `run the same command again, or: ployzctl ops abort ${operation}`,
        }),
      ),
  ];
}

/** A cluster from before 0.4 keeps what it had until an operator decides. */
const FLAT: Warning = {
  code: "namespaces_flat",
  about: "",
  message: "namespaces are not apart: every workload reaches every other",
  hint: 'see who talks to whom, then: ployzctl mesh policy enable; or keep it: [policy] isolation = "off" in /etc/ployz/config.toml',
};

/** One for each record, by its name, with the command that repairs it. */
export const unreadableWarnings = (records: readonly Unreadable[]): readonly Warning[] =>
  records.map((record) => {
    const { message, hint = "" } = unreadable(record);
    return { code: "record_unreadable", about: record.key, message, hint };
  });

function storeWarnings({ machines, storeAnswers }: Seen): readonly Warning[] {
  const stores = machines.filter(({ record }) => record.store);
  const names = stores.map(({ record }) => record.id).join(", ");
  if (!storeAnswers) {
    const unknown = machines.filter(({ reachable }) => !reachable).map(({ record }) => record.id);
    const which =
      unknown.length === 0 ? "" : ` Until it does, the state of ${unknown.join(", ")} is unknown.`;
    return [
      {
        code: "store_unreachable",
        about: "",
        message: `the store on ${names} does not answer: changes are refused; workloads keep running.${which}`,
        hint: `check ${stores.map(lookAt).join(", ") || "the store's machine"}; all machines reconnect when it is back`,
      },
    ];
  }
  if (stores.length === 1 && machines.length >= 3) {
    const three = [
      stores[0],
      ...machines.filter(({ record }) => !record.store && record.state === "active"),
    ].slice(0, 3);
    const ids = three.map((one) => one?.record.id).join(" ");
    return [
      {
        code: "store_single",
        about: names,
        message: `only ${names} holds the store: its loss would lose history, journals and secrets`,
        hint: `ployzctl machine storage promote --replicas 3 ${three.length === 3 ? ids : "M1 M2 M3"}`,
      },
    ];
  }
  const down = stores.filter(({ reachable }) => !reachable).map(({ record }) => record.id);
  return stores.length > 1 && down.length > 0
    ? [
        {
          code: "store_degraded",
          about: down.join(),
          message: `${down.join(", ")} of the store machines ${names} ${down.length === 1 ? "does" : "do"} not answer: the store keeps working with ${stores.length - down.length} of ${stores.length}`,
          hint: `start ${down.join(", ")} again, or move the store: ployzctl machine storage promote --replicas ${stores.length} …`,
        },
      ]
    : [];
}

function machineWarnings({ machines, storeAnswers }: Seen): readonly Warning[] {
  return [
    ...machines
      .filter(({ reachable }) => !reachable && storeAnswers)
      .map(
        (machine): Warning => ({
          code: "machine_unreachable",
          about: machine.record.id,
          message: `${machine.record.id} does not answer: ${machine.error?.message ?? "unreachable"}`,
          hint: `check it: ${lookAt(machine)}`,
        }),
      ),
    ...machines.flatMap(({ record, observation }) =>
      (observation?.problems ?? [])
        .filter((problem) => /^(no volumes|volume|instance)\b/.test(problem))
        .map(
          (problem): Warning => ({
            code: "machine_problem",
            about: `${record.id} ${problem}`,
            message: `${record.id}: ${problem}`,
            hint: problem.startsWith("instance ")
              ? "the daemon tries again every 20 s; see also on that machine: ployzctl doctor; deploy again to replace it"
              : "run on that machine: ployzctl doctor",
          }),
        ),
    ),
    ...machines
      .filter(({ lifecycle }) => lifecycle === "draining")
      .map(
        ({ record: { id }, committed: { instances, volumes } }): Warning => ({
          code: "machine_draining",
          about: id,
          message: `${id} is draining: ${instances} instances and ${volumes} volumes are still there`,
          hint: `move them with ployzctl machine drain ${id} --migrate, or end it with ployzctl machine activate ${id}`,
        }),
      ),
    ...machines
      .filter(({ record }) => record.state === "joining")
      .map(
        ({ record }): Warning => ({
          code: "machine_joining",
          about: record.id,
          message: `${record.id} has not finished joining`,
          hint: "run ployzctl machine add for it again",
        }),
      ),
  ];
}

const DISK_FREE_BYTES = 2 ** 30;
const POOL_FREE_SHARE = 0.1;

function spaceWarnings({ machines }: Seen): readonly Warning[] {
  return machines.flatMap(({ record: { id }, observation }): readonly Warning[] => {
    if (observation === undefined) return [];
    const { diskFreeBytes, storage } = observation;
    const size = (storage?.availableBytes ?? 0) + (storage?.usedBytes ?? 0);
    const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
    return [
      ...(diskFreeBytes < DISK_FREE_BYTES
        ? [
            {
              ...({ code: "disk_nearly_full", about: id } as const),
              message: `the disk of ${id} is nearly full: ${mib(diskFreeBytes)} free`,
              hint: "remove what nothing needs: ployzctl image prune",
            },
          ]
        : []),
      ...(storage !== undefined && storage.availableBytes < size * POOL_FREE_SHARE
        ? [
            {
              ...({ code: "pool_nearly_full", about: id } as const),
              message: `the pool of ${id} is nearly full: ${mib(storage.availableBytes)} of ${mib(size)} free`,
              hint: "remove old snapshots: ployzctl volume prune; or add a disk to the pool",
            },
          ]
        : []),
    ];
  });
}

/** Older than this, a WireGuard session is dead (its reject-after-time). */
const SILENT_MS = 180_000;

/** A machine removed while it was away gets no notice: it only sees that no peer answers. */
function aloneWarning({ machines, storeAnswers, self }: Seen): readonly Warning[] {
  const others = machines.filter(({ record }) => record.id !== self);
  const heard = others.some(
    ({ handshakeAgeMs }) => handshakeAgeMs !== undefined && handshakeAgeMs < SILENT_MS,
  );
  if (storeAnswers || heard || others.length === 0) return [];
  return [
    {
      code: "machine_alone",
      about: self,
      message: `no other machine answers ${self}: it is disconnected, or was removed from the cluster while it was away`,
      hint: "run ployzctl machine ls on another machine; if this one was removed: ployzctl mesh leave",
    },
  ];
}

/** Versions interoperate, and an older machine refuses unknown commands by name; but it is not a permanent state. */
function versionWarnings({ self, machines }: Seen): readonly Warning[] {
  const seen = machines.flatMap(({ record, observation }) =>
    observation === undefined
      ? []
      : [{ id: record.id, version: observation.version, build: observation.build }],
  );
  const here = seen.find(({ id }) => id === self);
  const others = seen.filter(({ build, version }) => build !== here?.build || version !== here?.version);
  if (here === undefined || others.length === 0) return [];
  const named = ({ id, version, build = "" }: (typeof seen)[number]) =>
    `${id} ${version}${build === "" ? "" : ` (${build.slice(0, 12)})`}`;
  return [
    {
      code: "versions_differ",
      about: "",
      message: `versions differ: ${[here, ...others].map(named).join(", ")}`,
      hint: `run on a machine with the newest version: ployzctl machine update`,
    },
  ];
}

const lookAt = ({ record }: MachineRow): string =>
  `ssh ${record.endpoints[0]?.replace(/:\d+$/, "") ?? record.id}`;

/** Committed volumes that are not usable now. */
function volumeWarnings({ volumes, open, storeAnswers }: Seen): readonly Warning[] {
  return volumes
    .filter(({ committed }) => committed)
    .flatMap(({ namespace, name, machine, state, spec, users }): readonly Warning[] => {
      const what = `${namespace}/${name}`;
      if (state === "unknown" && storeAnswers)
        return [
          {
            code: "volume_unknown",
            about: what,
            message: `volume ${what} is on ${machine}, which does not answer`,
            hint: withoutMachine({ namespace, machine, users, standbys: spec?.standby?.machines ?? [] }),
          },
        ];
      if (state === "missing")
        return [
          {
            code: "volume_missing",
            about: what,
            message: `volume ${what} is not on ${machine}, where it was committed`,
            hint: `check that the pool of ${machine} is imported; list other copies: ployzctl volume show ${what}`,
          },
        ];
      // Expected while an operation works on it.
      if ((state === "sealed" || state === "retired" || state === "incoming") && open.length === 0)
        return [
          {
            code: "volume_closed",
            about: what,
            message: `volume ${what} on ${machine} is ${state}: no instance can start on it`,
            hint: "run its last command again; find it with: ployzctl ops ls",
          },
        ];
      return [];
    });
}

function withoutMachine(volume: {
  readonly namespace: string;
  readonly machine: string;
  readonly users: readonly string[];
  readonly standbys: readonly string[];
}): string {
  const { namespace, machine, users, standbys } = volume;
  const [standby] = standbys.filter((one) => one !== machine);
  const [user] = users;
  if (standby === undefined || user === undefined)
    return `its services cannot run elsewhere without it; start ${machine} again`;
  return `start ${machine} again; or see what its standby holds: ployzctl migrate ${namespace}/${user} --to ${standby} --from-standby -n`;
}

const suspendedWarnings = ({ namespaces }: Seen): readonly Warning[] =>
  namespaces.flatMap(({ namespace, commit }) =>
    Object.entries(commit.services)
      .filter(([, { suspended }]) => suspended)
      .map(
        ([name]): Warning => ({
          code: "service_suspended",
          about: `${namespace}/${name}`,
          message: `${namespace}/${name} does not run: its data was lost with a machine`,
          hint: "deploy it again to start it with an empty volume",
        }),
      ),
  );

function namespaceWarnings({ namespaces, instances, storeAnswers }: Seen): readonly Warning[] {
  return namespaces.flatMap(({ namespace, running, wanted }): readonly Warning[] => {
    if (running >= wanted) return [];
    const unknown = instances.filter(
      (row) => row.committed && row.namespace === namespace && row.state === "unknown",
    );
    const away = [...new Set(unknown.map(({ machine }) => machine))].sort().join(", ");
    const rest = unknown.length === 0 ? "" : `, ${unknown.length} on ${away} unknown`;
    // Without the store the first warning covers this.
    if (unknown.length + running >= wanted && !storeAnswers) return [];
    return [
      {
        code: "namespace_degraded",
        about: namespace,
        message: `${namespace}: ${running} of ${wanted} instances run${rest}`,
        hint:
          unknown.length > 0
            ? `list them: ployzctl ps ${namespace}; start their machine again, or deploy again to replace them elsewhere`
            : `list them: ployzctl ps ${namespace}; deploy again to replace dead ones`,
      },
    ];
  });
}
