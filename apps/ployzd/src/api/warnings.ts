import type {
  ClusterStatus,
  InstanceRow,
  MachineRow,
  NamespaceRow,
  OperationSummary,
  VolumeRow,
} from "@ployz/primitives";

type Warning = ClusterStatus["warnings"][number];

export interface Seen {
  /** The machine that looks. */
  readonly self: string;
  readonly machines: readonly MachineRow[];
  readonly instances: readonly InstanceRow[];
  readonly namespaces: readonly NamespaceRow[];
  readonly volumes: readonly VolumeRow[];
  /** Running, interrupted, or owing cleanup. */
  readonly open: readonly OperationSummary[];
  /** False: it did not answer, so other machines could not be asked either. */
  readonly storeAnswers: boolean;
  /** The cluster says that it is a member no more. */
  readonly removed: boolean;
}

/** What an operator should look at, worst first, each with what to do. Pure. */
export function warningsOf(seen: Seen): readonly Warning[] {
  if (seen.removed)
    return [
      {
        message: `this machine, ${seen.self}, was removed from the cluster`,
        hint: "take what is left of it off: ployzctl mesh leave",
      },
    ];
  return [
    ...storeWarnings(seen),
    ...aloneWarning(seen),
    ...machineWarnings(seen),
    ...versionWarnings(seen),
    ...volumeWarnings(seen),
    ...namespaceWarnings(seen),
    ...suspendedWarnings(seen),
    ...seen.instances
      .filter(({ state }) => state === "stray" && seen.open.length === 0)
      .map(({ id, machine }) => ({
        message: `${id} on ${machine} belongs to no commit`,
        hint: "restart the daemon there: it removes what ended operations left",
      })),
    ...seen.open
      .filter(({ state }) => state !== "running")
      .map(({ operation, primitive, state }) => ({
        message: `${primitive} ${operation} is ${state}`,
        hint: `run the same command again, or: ployzctl ops abort ${operation}`,
      })),
  ];
}

function storeWarnings({ machines, storeAnswers }: Seen): readonly Warning[] {
  const stores = machines.filter(({ record }) => record.store);
  const names = stores.map(({ record }) => record.id).join(", ");
  if (!storeAnswers) {
    const unknown = machines.filter(({ reachable }) => !reachable).map(({ record }) => record.id);
    const which = unknown.length === 0 ? "" : ` Until it does, nothing is known of ${unknown.join(", ")}.`;
    return [
      {
        message: `the store on ${names} does not answer: changes are refused, what runs goes on.${which}`,
        hint: `look at ${stores.map(lookAt).join(", ") || "the store's machine"}; everything reconnects by itself when it is back`,
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
        message: `the store is on ${names} alone: if it is lost, so is what only the store has`,
        hint: `ployzctl machine storage promote --replicas 3 ${three.length === 3 ? ids : "M1 M2 M3"}`,
      },
    ];
  }
  const down = stores.filter(({ reachable }) => !reachable).map(({ record }) => record.id);
  return stores.length > 1 && down.length > 0
    ? [
        {
          message: `${down.join(", ")} of the store machines ${names} ${down.length === 1 ? "does" : "do"} not answer: the store works on with ${stores.length - down.length} of ${stores.length}`,
          hint: `bring ${down.join(", ")} back, or give the store to others: ployzctl machine storage promote --replicas ${stores.length} …`,
        },
      ]
    : [];
}

function machineWarnings({ machines, storeAnswers }: Seen): readonly Warning[] {
  return [
    ...machines
      .filter(({ reachable }) => !reachable && storeAnswers)
      .map((machine) => ({
        message: `${machine.record.id} does not answer: ${machine.error?.message ?? "unreachable"}`,
        hint: `look at it: ${lookAt(machine)}`,
      })),
    ...machines.flatMap(({ record, observation }) =>
      (observation?.problems ?? [])
        .filter((problem) => /^(no volumes|volume)\b/.test(problem))
        .map((problem) => ({ message: `${record.id}: ${problem}`, hint: "ployzctl doctor on that machine" })),
    ),
    ...machines
      .filter(({ lifecycle }) => lifecycle === "draining")
      .map(({ record: { id }, committed: { instances, volumes } }) => ({
        message: `${id} drains: ${instances} instances and ${volumes} volumes are still there`,
        hint: `ployzctl machine drain ${id} --migrate moves them, ployzctl machine activate ${id} ends it`,
      })),
    ...machines
      .filter(({ record }) => record.state === "joining")
      .map(({ record }) => ({
        message: `${record.id} has not finished joining`,
        hint: "run machine add for it again",
      })),
  ];
}

/** Older than this, a WireGuard session is dead (its reject-after-time). */
const SILENT_MS = 180_000;

/** A machine that was removed while it was away is told by nobody: all it can see is that nobody talks to it. */
function aloneWarning({ machines, storeAnswers, self }: Seen): readonly Warning[] {
  const others = machines.filter(({ record }) => record.id !== self);
  const heard = others.some(
    ({ handshakeAgeMs }) => handshakeAgeMs !== undefined && handshakeAgeMs < SILENT_MS,
  );
  if (storeAnswers || heard || others.length === 0) return [];
  return [
    {
      message: `no other machine answers ${self}: it is cut off, or was removed from the cluster while it was away`,
      hint: "ployzctl machine ls on another machine tells; if it was removed: ployzctl mesh leave",
    },
  ];
}

/** They work together, and commands that one of them does not know are refused by name: it should not stay so. */
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
      message: `versions differ: ${[here, ...others].map(named).join(", ")}`,
      hint: `ployzctl machine update, on a machine that has the newest: it gives it to the others`,
    },
  ];
}

const lookAt = ({ record }: MachineRow): string =>
  `ssh ${record.endpoints[0]?.replace(/:\d+$/, "") ?? record.id}`;

/** Committed volumes that nobody can write to now. */
function volumeWarnings({ volumes, open, storeAnswers }: Seen): readonly Warning[] {
  return volumes
    .filter(({ committed }) => committed)
    .flatMap(({ namespace, name, machine, state }): readonly Warning[] => {
      const what = `${namespace}/${name}`;
      if (state === "unknown" && storeAnswers)
        return [
          {
            message: `volume ${what} is on ${machine}, which does not answer`,
            hint: `its services cannot run elsewhere without it; bring ${machine} back`,
          },
        ];
      if (state === "missing")
        return [
          {
            message: `volume ${what} is not on ${machine}, where it was committed`,
            hint: `look whether the pool of ${machine} is imported; ployzctl volume show ${what} lists other copies`,
          },
        ];
      // While an operation works on it, that is how it should be.
      if ((state === "sealed" || state === "retired" || state === "incoming") && open.length === 0)
        return [
          {
            message: `volume ${what} on ${machine} is ${state}: nothing can start on it`,
            hint: "run the command again that was last used on it: ployzctl ops ls",
          },
        ];
      return [];
    });
}
const suspendedWarnings = ({ namespaces }: Seen): readonly Warning[] =>
  namespaces.flatMap(({ namespace, commit }) =>
    Object.entries(commit.services)
      .filter(([, { suspended }]) => suspended)
      .map(([name]) => ({
        message: `${namespace}/${name} does not run: its data was lost with a machine`,
        hint: "deploying it again starts it with an empty volume",
      })),
  );

function namespaceWarnings({ namespaces, instances, storeAnswers }: Seen): readonly Warning[] {
  return namespaces.flatMap(({ namespace, running, wanted }): readonly Warning[] => {
    if (running >= wanted) return [];
    const unknown = instances.filter(
      (row) => row.committed && row.namespace === namespace && row.state === "unknown",
    );
    const away = [...new Set(unknown.map(({ machine }) => machine))].sort().join(", ");
    const rest = unknown.length === 0 ? "" : `, ${unknown.length} on ${away} not known`;
    // Without the store the first warning has said all that can be done.
    if (unknown.length + running >= wanted && !storeAnswers) return [];
    return [
      {
        message: `${namespace}: ${running} of ${wanted} instances run${rest}`,
        hint:
          unknown.length > 0
            ? `ployzctl ps ${namespace}; they come back with their machine, or deploying again replaces them elsewhere`
            : `ployzctl ps ${namespace}; deploying again replaces dead ones`,
      },
    ];
  });
}
