import { domainToUnicode } from "node:url";
import type { InstanceList, NamespaceRow, RouteList } from "../../api.ts";
import type { NamespaceDocument } from "../../documents.ts";
import { ago, type Block, bytes, type Cell, duration, type Page, remark, table } from "../page.ts";
import { runState } from "./runs.ts";
import { lagText } from "./volumes.ts";
import { warningBlocks } from "./warnings.ts";

const STATES: Readonly<Record<string, "ok" | "warn" | "bad">> = {
  running: "ok",
  created: "warn",
  unknown: "warn",
  stray: "warn",
};

type HostPort = NonNullable<InstanceList["instances"][number]["hostPorts"]>[number];
type Observed = NonNullable<InstanceList["instances"][number]["observed"]>;

/** Its program has ended, and the next start is due. Daemons always report the process of one that runs. */
const isBetweenLives = (state: string, { pid, exitCode }: Observed): boolean =>
  state === "running" && pid === undefined && exitCode !== undefined;

function stateText(state: string, observed: Observed): string {
  const { exitCode, oomKilled = false } = observed;
  const why = [
    ...(exitCode === undefined ? [] : [String(exitCode)]),
    ...(oomKilled ? ["out of memory"] : []),
  ];
  const ended = state === "exited" || isBetweenLives(state, observed);
  const shown = ended ? why : oomKilled ? ["out of memory"] : [];
  const text = isBetweenLives(state, observed) ? "restarting" : state;
  return shown.length === 0 ? text : `${text} (${shown.join(", ")})`;
}

/** Those of the restarts that `liveness` made are named. */
function restartsText(observed: Observed | undefined): string {
  const { restarts, hangs } = observed ?? {};
  if (restarts === undefined) return "-";
  return hangs === undefined ? String(restarts) : `${restarts} (${hangs.count} hung)`;
}

/** As `gateway show` has it, with the service's port: `192.0.2.7:9000/tcp>http`. */
const hostPortCell = ({ protocol, port, address, to }: HostPort): string =>
  `${address === undefined ? "" : `${address}:`}${port}/${protocol}>${to}`;

export function instancesPage(
  { instances, runs = [], unreachable, stopped = [], standbys = [], warnings }: InstanceList,
  now: number,
): Page {
  return [
    table(
      "instance",
      [
        "NAMESPACE",
        "SERVICE",
        "SLOT",
        "MACHINE",
        "ADDRESS",
        "STATE",
        "STARTED",
        "RESTARTS",
        "MEMORY",
        "INSTANCE",
        "CPU",
        "HOST PORTS",
      ],
      [
        ...instances.map(({ id, namespace, service, slot, machine, address, hostPorts, state, observed }) => [
          namespace,
          service,
          String(slot),
          machine,
          address,
          {
            text: observed === undefined ? state : stateText(state, observed),
            tone:
              observed !== undefined && isBetweenLives(state, observed) ? "warn" : (STATES[state] ?? "bad"),
          },
          ago(observed?.startedAt, now),
          restartsText(observed),
          observed?.memoryBytes === undefined ? "-" : bytes(observed.memoryBytes),
          id,
          observed?.cpuNanos === undefined ? "-" : duration(observed.cpuNanos / 1e6),
          hostPorts === undefined ? "-" : hostPorts.map(hostPortCell).join(" "),
        ]),
        ...runs.map((run) => [
          ...[run.namespace, run.service, "run", run.machine, run.address],
          { text: runState(run), tone: STATES[run.state] ?? "dim" } as const,
          ...[ago(run.at, now), "-", "-", run.id, "-", "-"],
        ]),
      ],
      {
        empty: "no instances; deploy a manifest: ployzctl deploy -f ployz.toml",
        drop: ["HOST PORTS", "INSTANCE", "CPU", "RESTARTS", "MEMORY", "ADDRESS", "STARTED"],
      },
    ),
    ...(stopped.length === 0
      ? []
      : [remark(`stopped: ${stopped.join(", ")}; to start them: ployzctl start ${stopped.join(" ")}`)]),
    ...(standbys.length === 0 ? [] : [remark(...standbys.map(standbyLine))]),
    ...(unreachable.length === 0
      ? []
      : [remark({ text: `unreachable, state unknown: ${unreachable.join(", ")}`, tone: "warn" })]),
    ...warningBlocks(warnings),
  ];
}

function standbyLine({
  namespace,
  volume,
  machine,
  ...copy
}: NonNullable<InstanceList["standbys"]>[number]): Cell {
  const tone = copy.state === "current" ? "dim" : "warn";
  return { text: `standby of ${namespace}/${volume} on ${machine}: ${lagText(copy)}`, tone };
}

type Route = NamespaceRow["routes"][number];
export const routeText = (route: Route): string =>
  route.kind === "http"
    ? `${route.tls === true ? "https" : "http"}://${route.host}${route.path}${readable(route.host)}`
    : `${route.kind}:${route.listen}`;

/** Where a route leads. */
export const targetText = ({ service, ...route }: Route): string =>
  route.kind === "http" && route.redirect
    ? `${route.redirect.to} (${route.redirect.status})`
    : `${service}:${route.port}`;

/** A host of other letters than ASCII, as people write it. */
function readable(host: string): string {
  if (!host.includes("xn--")) return "";
  const text = domainToUnicode(host.replace(/^\*\./, ""));
  return text === "" ? "" : ` (${host.startsWith("*.") ? "*." : ""}${text})`;
}

const servicesText = ({ services }: NamespaceRow["commit"]): string =>
  Object.entries(services)
    .map(([name, { stopped, maintenance }]) =>
      stopped ? `${name}(stopped)` : maintenance ? `${name}(maintenance)` : name,
    )
    .sort()
    .join(" ");

export function namespaceTable(rows: readonly NamespaceRow[], now: number): Block {
  return table(
    "namespace",
    ["NAMESPACE", "REVISION", "SERVICES", "RUNNING", "ROUTES", "DEPLOYED", "BY", "BRANCH OF"],
    rows.map(({ namespace, revision, commit, running, wanted, routes }): Cell[] => [
      namespace,
      String(revision),
      servicesText(commit) || "-",
      { text: `${running}/${wanted}`, tone: running >= wanted ? "ok" : "bad" },
      routes.map(routeText).join(" ") || "-",
      ago(commit.at, now),
      commit.by,
      commit.lineage?.kind === "branch" ? `${commit.lineage.from}@${commit.lineage.revision}` : "-",
    ]),
    {
      empty: "no namespaces; deploy a manifest: ployzctl deploy -f ployz.toml",
      drop: ["BRANCH OF", "BY", "DEPLOYED", "ROUTES"],
    },
  );
}

export const namespacesPage = (rows: readonly NamespaceRow[], now: number): Page => [
  namespaceTable(rows, now),
];

export function namespacePage(row: NamespaceDocument, now: number): Page {
  const { commit } = row;
  return [namespaceTable([row], now), serviceTable(commit)];
}

export function serviceTable(commit: NamespaceRow["commit"]): Block {
  return table(
    "service",
    ["SERVICE", "IMAGE", "INSTANCES", "PORTS", "SPEC"],
    Object.entries(commit.services).map(([name, { spec, revision }]) => [
      name,
      spec.image?.ref ?? `bundle ${spec.bundle?.digest.slice(7, 19) ?? "?"}`,
      commit.instances
        .filter(({ service }) => service === name)
        .map(({ slot, machine, address }) => `${slot}@${machine}=${address}`)
        .join(" ") || "-",
      [
        ...Object.entries(spec.ports).map(([port, number]) => `${port}=${number}`),
        ...(spec.hostPorts ?? []).map(
          ({ protocol, port, address, to }) =>
            `${address === undefined ? "" : `${address}:`}${port}/${protocol}->${to}`,
        ),
      ].join(" ") || "-",
      revision.replace(/^sha256:/, "").slice(0, 12),
    ]),
    { empty: "no services", drop: ["SPEC", "PORTS"] },
  );
}

const SERVED = { yes: "ok", earlier: "warn", unknown: "warn", no: "bad" } as const;

export function routesPage({ machine, routes }: RouteList): Page {
  return [
    table(
      "route",
      ["ROUTE", "NAMESPACE", "TARGET", `SERVED ON ${machine.toUpperCase()}`],
      routes.map((route): Cell[] => [
        routeText(route),
        route.namespace,
        `${targetText(route)}${route.canary === undefined ? "" : `, ${route.canary.share}% ${route.canary.service}`}`,
        {
          text: route.served === "earlier" ? "an earlier commit" : (route.why ?? route.served),
          tone: SERVED[route.served],
        },
      ]),
      { empty: "no routes" },
    ),
  ];
}
