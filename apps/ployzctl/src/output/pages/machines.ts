import type { MachineList, MachineRow, MeshStatus, RttTable } from "../../api.ts";
import type {
  MachineAdded,
  MachineDocument,
  MachinesUpdated,
  OperationEnd,
  UpdateOutcome,
} from "../../documents.ts";
import { type Block, bytes, type Cell, duration, lines, type Page, type Tone, table } from "../page.ts";

export function machineTable(machines: readonly MachineRow[]): Block {
  return table(
    "machine",
    [
      "MACHINE",
      "STATE",
      "ROLE",
      "ADDRESS",
      "REGION",
      "RUNTIME",
      "HANDSHAKE",
      "CPUS",
      "LOAD",
      "MEMORY FREE",
      "INSTANCES",
      "VERSION",
    ],
    machines.map(({ record, lifecycle, reachable, handshakeAgeMs, observation: seen, error }) => [
      record.id,
      reachable ? stateOf(lifecycle) : awayOf(lifecycle, error?.code),
      record.store ? "store" : "-",
      record.address,
      [record.region, record.az].filter((part) => part !== undefined).join("/") || "-",
      record.runtime === "process" ? "host" : record.runtime,
      handshakeAgeMs === undefined ? "-" : `${duration(handshakeAgeMs)} ago`,
      seen === undefined ? "-" : String(seen.cpus),
      seen === undefined ? "-" : seen.load1.toFixed(2),
      seen === undefined ? "-" : `${bytes(seen.memoryFreeBytes)}/${bytes(seen.memoryBytes)}`,
      seen === undefined ? "-" : String(seen.instances.length),
      seen?.version ?? record.version,
    ]),
    {
      empty: "no machines",
      drop: ["RUNTIME", "CPUS", "VERSION", "LOAD", "HANDSHAKE", "MEMORY FREE", "REGION", "ADDRESS"],
    },
  );
}

const stateOf = (lifecycle: MachineRow["lifecycle"]): Cell => ({
  text: lifecycle,
  tone: lifecycle === "active" ? "ok" : "warn",
});

/** Without the store no machine can be reached: its state is unknown, not down. */
function awayOf(lifecycle: MachineRow["lifecycle"], code: string | undefined): Cell {
  if (lifecycle === "joining" || lifecycle === "removed") return { text: lifecycle, tone: "bad" };
  const also = lifecycle === "active" ? "" : ` (${lifecycle})`;
  return code === "store_unavailable"
    ? { text: `unknown${also}`, tone: "warn" }
    : { text: `down${also}`, tone: "bad" };
}

export const machinesPage = ({ machines }: MachineList): Page => [machineTable(machines)];

export function machinePage(machine: MachineDocument): Page {
  const { record, committed, observation, error } = machine;
  return [
    machineTable([machine]),
    lines(
      `subnet     ${record.subnet}`,
      `endpoints  ${record.endpoints.join(", ")}`,
      `added by   ${record.operation}`,
      `labels     ${labelsText(record.labels)}`,
      `committed  ${committed.instances} instances, ${committed.volumes} volumes`,
      ...(observation === undefined
        ? []
        : [
            `runtime    ${observation.runtime} ${observation.runtimeVersion} (${observation.arch})`,
            `disk free  ${bytes(observation.diskFreeBytes)}`,
            `volumes    ${volumesText(observation)}`,
          ]),
      ...(observation?.problems ?? []).map((text) => ({ text: `problem    ${text}`, tone: "warn" as const })),
      ...(error === undefined ? [] : [{ text: `error      ${error.message}`, tone: "bad" as const }]),
    ),
  ];
}

const labelsText = (labels: MachineRow["record"]["labels"] = {}): string =>
  Object.entries(labels)
    .map((pair) => pair.join("="))
    .join(", ") || "-";

/** `2 on tank/ployz (prod/pgdata, shop/files), 3 retired copies, 12G free`. */
function volumesText({ storage, volumes }: NonNullable<MachineRow["observation"]>): string {
  if (storage === undefined) return "none: no ZFS dataset for them";
  const kept = volumes.filter(({ state }) => state !== "retired");
  const names = kept.map(
    ({ namespace, name, state }) => `${namespace}/${name}${state === "active" ? "" : ` ${state}`}`,
  );
  const retired = volumes.length - kept.length;
  return [
    `${kept.length} on ${storage.root}${names.length === 0 ? "" : ` (${names.sort().join(", ")})`}`,
    ...(retired === 0 ? [] : [`${retired} retired ${retired === 1 ? "copy" : "copies"}`]),
    `${bytes(storage.availableBytes)} free`,
  ].join(", ");
}

export function rttPage({ rows }: RttTable): Page {
  return [
    table(
      "rtt",
      ["FROM", "TO", "RTT"],
      rows.map(({ from, to, rttMs, error }) => [
        from,
        to,
        rttMs === null
          ? { text: error?.message ?? "no answer", tone: "bad" }
          : { text: `${rttMs.toFixed(rttMs < 10 ? 2 : 0)} ms`, tone: rttMs < 100 ? "ok" : "warn" },
      ]),
      { empty: "one machine only" },
    ),
  ];
}

export function meshPage({ joined, cluster, machine, wireguard, store, peers }: MeshStatus): Page {
  if (!joined || cluster === undefined || machine === undefined)
    return [lines("this machine is in no cluster", "create one: ployzctl mesh init NAME")];
  return [
    lines(
      `machine ${machine.id} (${machine.address}) of cluster ${cluster.name}, ${cluster.clusterCidr}`,
      `store ${store ?? "unknown"}, WireGuard ${wireguard ?? "unknown"}`,
    ),
    table(
      "peer",
      ["PEER", "ENDPOINT", "HANDSHAKE", "RECEIVED", "SENT"],
      peers.map(({ id, endpoint, handshakeAgeMs, rxBytes, txBytes }) => [
        id,
        endpoint ?? "-",
        handshakeAgeMs === undefined ? { text: "never", tone: "bad" } : `${duration(handshakeAgeMs)} ago`,
        bytes(rxBytes),
        bytes(txBytes),
      ]),
      { empty: "no other machines; add one: ployzctl machine add root@HOST", drop: ["SENT", "RECEIVED"] },
    ),
  ];
}

export function addedPage({ machines }: MachineAdded): Page {
  return [
    lines(
      ...machines.flatMap(({ target, state, machine, changed, ms, operation, errors, warnings }): Cell[] => {
        const took = ms === undefined ? "" : ` (${duration(ms)})`;
        const first: Cell =
          state === "done"
            ? {
                text: `${target}: ${changed === false ? "is already a member" : "added"}${machine === undefined ? "" : ` as ${machine}`}${took}`,
                tone: "ok",
              }
            : {
                text: `${target}: ${state}${operation === undefined ? "" : `, operation ${operation}`}`,
                tone: "bad",
              };
        return [first, ...remarks(errors, warnings)];
      }),
    ),
  ];
}

export function updatedPage({ version, build, machines }: MachinesUpdated): Page {
  const to = { version, build };
  return [
    lines(
      ...machines.flatMap((outcome): Cell[] => {
        const { text, tone } = updateSaid(outcome, to);
        const line = `${outcome.machine}: ${text}`;
        const first = tone === undefined ? line : { text: line, tone };
        return [first, ...remarks(outcome.errors, outcome.warnings)];
      }),
    ),
  ];
}

type Build = { readonly version: string; readonly build: string };
const named = ({ version, build }: Build): string => `${version} (${build.slice(0, 12)})`;

function updateSaid(
  { state, from, changed, ms, operation }: UpdateOutcome,
  to: Build,
): { readonly text: string; readonly tone?: Tone } {
  const recorded = from?.build === to.build;
  const change = from === undefined ? `to ${named(to)}` : `from ${named(from)} to ${named(to)}`;
  switch (state) {
    case "planned":
      return { text: recorded ? `runs ${named(to)}; would record it` : `would be updated ${change}` };
    case "not-tried":
      return { text: "skipped", tone: "warn" };
    case "done": {
      if (changed === false) return { text: `already has ${named(to)}`, tone: "ok" };
      const took = ms === undefined ? "" : ` (${duration(ms)})`;
      return {
        text: `${recorded ? `runs ${named(to)}; recorded it` : `updated ${change}`}${took}`,
        tone: "ok",
      };
    }
    default:
      return { text: `${state}${operation === undefined ? "" : `, operation ${operation}`}`, tone: "bad" };
  }
}

const remarks = (errors: OperationEnd["errors"], warnings: OperationEnd["warnings"]): readonly Cell[] => [
  ...errors.flatMap(({ message, hint }) => [
    `  error: ${message}`,
    ...(hint === undefined ? [] : [`  hint: ${hint}`]),
  ]),
  ...warnings.map((text): Cell => ({ text: `  warning: ${text}`, tone: "warn" })),
];
