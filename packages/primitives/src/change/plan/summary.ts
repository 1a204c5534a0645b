import { canonical } from "../../engine/canonical.ts";
import { manifestFields, renderVolume } from "../../manifest/render.ts";
import type {
  Commit,
  CommittedRoute,
  CommittedService,
  Instance,
  JobSpec,
  Volume,
  VolumeSpec,
} from "../../model/commit.ts";
import type { Json } from "../../model/json.ts";
import type { Decision, ServiceDecision, Why } from "../decide/decision.ts";
import type { VolumeDecision } from "../decide/volumes.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { Candidate } from "./candidate.ts";
import { hostsWithoutCertificate } from "./certificates.ts";
import type { PendingSnapshot } from "./volumes.ts";

/** The next commit, without the addresses and guids that machines supply. */
export type NextState = {
  readonly services: Readonly<Record<string, CommittedService>>;
  readonly jobs: Readonly<Record<string, { readonly revision: string; readonly spec: JobSpec }>>;
  readonly keep: readonly Instance[];
  /** `reserve`: the step whose output has the address. */
  readonly start: readonly (Omit<Instance, "address"> & { readonly reserve: string })[];
  readonly routes: readonly CommittedRoute[];
  readonly volumes: readonly NextVolume[];
  readonly before: readonly PendingSnapshot[];
  readonly lineage?: NonNullable<Commit["lineage"]>;
  readonly branchedFrom?: string;
  readonly allowRoutesFrom?: readonly string[];
  readonly removed?: true;
};

/** A volume as it will be committed; `guidFrom` and `verifiedBy` name the steps that output the missing guids. */
export type NextVolume = Omit<Volume, "guid" | "moved"> & {
  readonly guid?: string;
  readonly guidFrom?: string;
  readonly moved?:
    | NonNullable<Volume["moved"]>
    | { readonly from: string; readonly snapshot: string; readonly verifiedBy: string };
};

/** One volume in the summary of a change. Sizes are bytes. */
export type VolumeSummary = {
  readonly name: string;
  readonly action: VolumeDecision["action"] | "drop" | "lost";
  readonly machine: string;
  /** The source of a copy, or the machine it moves from. */
  readonly from?: string;
  readonly spec: VolumeSpec;
  /** What the change alters in the settings of a volume that stays; absent when nothing. */
  readonly fields?: readonly FieldChange[];
  /** Estimated bytes over the network; absent when none. */
  readonly transferBytes?: number;
  /** Of a standby that becomes the volume: it holds everything written before. RFC 3339. */
  readonly holds?: string;
  /** In the result: the bytes copied, and how many of them while the service was stopped. */
  readonly copied?: { readonly bytes: number; readonly lastBytes: number };
};

/** Without the values of environment variables: they may be passwords. */
export type FieldChange = { readonly field: string; readonly from?: Json; readonly to?: Json };

/** One service in the summary of a change: its changed fields, and what happens to each instance. */
export type ServiceSummary = {
  readonly name: string;
  /** `repair`: the spec is unchanged, but instances are replaced (dead, or their machine is ruled out). */
  readonly change: "add" | "change" | "remove" | "repair" | "unchanged";
  readonly fields: readonly FieldChange[];
  readonly instances: readonly {
    readonly id: string;
    readonly slot: number;
    readonly machine: string;
    readonly action: "keep" | "start" | "stop";
    readonly why?: Why;
  }[];
  /** Each instance stops before the one that replaces it starts. Absent: after it is ready. */
  readonly stopFirst?: true;
  /** In the result, for a single instance that had to stop first: until every answering machine had the new routes. */
  readonly downtimeMs?: number;
};

/** What a change of a namespace will do: `summary` of its plan. `kind` is the primitive's name. */
export type ChangeSummary = {
  readonly kind: string;
  readonly namespace: string;
  readonly services: readonly ServiceSummary[];
  readonly jobs: readonly {
    readonly name: string;
    readonly action: "run" | "skip";
    readonly machine?: string;
    readonly why?: string;
    /** It runs by its schedule. */
    readonly scheduled?: true;
  }[];
  readonly routes: { readonly added: readonly CommittedRoute[]; readonly removed: readonly CommittedRoute[] };
  /** Hosts for which the deploy gets a certificate before its commit. */
  readonly certificates?: readonly string[];
  readonly images: readonly { readonly ref: string; readonly digest: string }[];
  readonly volumes: readonly VolumeSummary[];
  /** The namespaces that may route its hosts, when they change. */
  readonly allowRoutesFrom?: { readonly from: readonly string[]; readonly to: readonly string[] };
  readonly next: NextState;
};

export function summarise(
  kind: string,
  decision: Decision,
  candidates: readonly Candidate[],
  next: NextState,
  facts: ChangeFacts,
): ChangeSummary {
  const images = [...Object.values(next.services), ...Object.values(next.jobs)].flatMap(
    ({ spec }) => spec.image ?? [],
  );
  const hosts = hostsWithoutCertificate(next.routes, facts);
  return {
    kind,
    namespace: decision.namespace,
    services: decision.services.map((service) => summariseService(service, candidates)),
    jobs: decision.jobs.map(({ name, run, next: { spec } }) =>
      run
        ? { name, action: "run", machine: run.machine, why: run.why }
        : { name, action: "skip", ...(spec.schedule !== undefined && { scheduled: true as const }) },
    ),
    routes: routeChanges(next, facts.head?.commit),
    ...(hosts.length > 0 && { certificates: hosts }),
    images: [...new Map(images.map((image) => [image.ref, image])).values()],
    volumes: [
      ...decision.volumes.map((volume) => summariseVolume(volume, facts)),
      ...decision.dropped.map(({ name, machine, spec }) => ({
        name,
        action: "drop" as const,
        machine,
        spec,
      })),
      ...decision.lost.map(({ name, machine, spec }) => ({ name, action: "lost" as const, machine, spec })),
    ],
    ...allowedRoutes(next, facts.head?.commit),
    next,
  };
}

function allowedRoutes(
  { allowRoutesFrom: to = [] }: NextState,
  { allowRoutesFrom: from = [] }: Pick<Commit, "allowRoutesFrom"> = {},
): Pick<ChangeSummary, "allowRoutesFrom"> {
  return canonical(from) === canonical(to) ? {} : { allowRoutesFrom: { from, to } };
}

function summariseService(service: ServiceDecision, candidates: readonly Candidate[]): ServiceSummary {
  const { name, next, previous, keep, start, retire } = service;
  const fields =
    next && previous
      ? [
          ...diff(manifestFields(previous.spec), manifestFields(next.spec)),
          ...renewed(service),
          ...diff({ maintenance: previous.maintenance ?? null }, { maintenance: next.maintenance ?? null }),
        ]
      : [];
  const touched = start.length > 0 || retire.length > 0;
  const change =
    next === undefined
      ? "remove"
      : previous === undefined
        ? "add"
        : fields.length > 0
          ? "change"
          : touched
            ? "repair"
            : "unchanged";
  const idOf = (slot: number): string =>
    candidates.find((one) => one.kind === "service" && one.name === name && one.slot === slot)?.id ?? "";
  return {
    name,
    change,
    fields,
    ...(next?.spec.update === "stop-first" &&
      start.some(({ replaces }) => replaces) && { stopFirst: true as const }),
    instances: [
      ...keep.map(({ id, slot, machine }) => ({ id, slot, machine, action: "keep" as const })),
      ...start.map(({ slot, machine, why }) => ({
        id: idOf(slot),
        slot,
        machine,
        action: "start" as const,
        why,
      })),
      ...retire.map(({ id, slot, machine }) => ({ id, slot, machine, action: "stop" as const })),
    ],
  };
}

/** Secrets that changed since the replaced instances were started. */
function renewed({ start, secrets }: ServiceDecision): readonly FieldChange[] {
  const names = start.flatMap(({ replaces }) =>
    Object.entries(secrets).flatMap(([variable, { name, version }]) => {
      const before = replaces?.secrets?.[variable];
      return before !== undefined && before.name === name && before.version !== version ? [name] : [];
    }),
  );
  return [...new Set(names)].sort().map((name) => ({ field: `secrets.${name}` }));
}

function summariseVolume(decision: VolumeDecision, facts: ChangeFacts): VolumeSummary {
  const { name, action, machine, spec, previous } = decision;
  const source =
    decision.action === "copy"
      ? decision.from
      : (action === "move" || action === "takeover") && previous !== undefined
        ? { id: previous.id, machine: previous.machine }
        : undefined;
  const from =
    decision.action === "copy"
      ? `${decision.from.namespace}/${decision.from.volume}${decision.from.snapshot ? `@${decision.from.snapshot.name}` : ""}`
      : source?.machine;
  const copyOn = (on: string | undefined, of: string | undefined) =>
    facts.machines.find(({ record }) => record.id === on)?.observation?.volumes.find(({ id }) => id === of);
  const bytes = copyOn(source?.machine, source?.id)?.referencedBytes;
  const holds = action === "takeover" ? copyOn(machine, previous?.id)?.standby : undefined;
  const fields = previous === undefined ? [] : diff(renderVolume(previous.spec), renderVolume(spec));
  return {
    ...{ name, action, machine, spec },
    ...(fields.length > 0 && { fields }),
    ...(from !== undefined && { from }),
    ...(holds !== undefined && { holds }),
    ...(bytes !== undefined &&
      action !== "takeover" &&
      source?.machine !== machine && { transferBytes: bytes }),
  };
}

function routeChanges(next: NextState, head: Commit | undefined): ChangeSummary["routes"] {
  const key = (route: CommittedRoute) => canonical({ ...route, since: null });
  const before = head?.routes ?? [];
  const [had, has] = [new Set(before.map(key)), new Set(next.routes.map(key))];
  return {
    added: next.routes.filter((route) => !had.has(key(route))),
    removed: before.filter((route) => !has.has(key(route))),
  };
}

/** Differences by dotted path; arrays compare whole. */
export function diff(from: Json, to: Json, path = ""): readonly FieldChange[] {
  // Values may be passwords.
  if (/^(env|files)\./.test(path)) return canonical(from) === canonical(to) ? [] : [{ field: path }];
  if (isTable(from) && isTable(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort();
    return keys.flatMap((key) => diff(at(from, key), at(to, key), path === "" ? key : `${path}.${key}`));
  }
  if (canonical(from) === canonical(to)) return [];
  return [{ field: path, ...(from !== null && { from }), ...(to !== null && { to }) }];
}

function at(table: { readonly [key: string]: Json }, key: string): Json {
  return (Object.hasOwn(table, key) ? table[key] : undefined) ?? null;
}

function isTable(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
