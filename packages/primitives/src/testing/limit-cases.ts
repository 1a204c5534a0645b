import type { Manifest, ManifestService } from "../manifest/schema.ts";
import { KEPT_PORTS } from "../model/kept-ports.ts";
import { datasetLength, LIMITS } from "../model/limits.ts";

/** A manifest of one service with one volume. */
export interface Draft {
  readonly namespace: string;
  readonly service: string;
  readonly volume: string;
  readonly target: string;
  readonly quota: string;
  readonly recordsize: string;
  readonly spec: Omit<ManifestService, "volumes">;
}

/** One limit: a manifest with `at` is deployed, and one with `beyond` is refused for `field`. */
export interface LimitCase {
  readonly name: string;
  readonly field: string;
  readonly at: Partial<Draft>;
  readonly beyond: Partial<Draft>;
  /** The value is good, but a small machine is too small for it, or no program is quick enough. */
  readonly onPaperOnly?: true;
  /** A limit of services with a bundle; one with an image may have less. */
  readonly ofBundles?: true;
}

/** Ends at SIGTERM, as the first process of a container too. */
const SLEEPER = ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"];
const letters = (count: number): string => "a".repeat(count);
const spec = (of: Draft["spec"]): Pick<Draft, "spec"> => ({ spec: of });
const words = (count: number, bytes: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`W${index}`, "w".repeat(bytes)]));
/** Letters left for a volume's name by a namespace. */
const left = (namespace: number): number =>
  LIMITS.dataset -
  datasetLength({ namespace: letters(namespace), id: `${letters(namespace)}..${letters(8)}` });

/** Values at each limit of a manifest, and one beyond it. */
export const limitCases: readonly LimitCase[] = [
  {
    name: "a namespace of 63 letters",
    field: "namespace",
    at: { namespace: letters(LIMITS.name), volume: letters(1) },
    beyond: { namespace: letters(LIMITS.name + 1) },
  },
  {
    name: "a service of 63 letters",
    field: "services",
    at: { service: letters(LIMITS.name) },
    beyond: { service: letters(LIMITS.name + 1) },
  },
  {
    name: "a dataset of 255 letters",
    field: "volumes",
    at: { namespace: letters(50), volume: letters(left(50)) },
    beyond: { namespace: letters(50), volume: letters(left(50) + 1) },
  },
  {
    name: "the namespace of the machines",
    field: "namespace",
    at: { namespace: "machines" },
    beyond: { namespace: "machine" },
  },
  {
    name: "a port's name of 62 letters",
    field: "ports",
    at: spec({ ports: { [letters(LIMITS.portName)]: 65_535 } }),
    beyond: spec({ ports: { [letters(LIMITS.portName + 1)]: 1 } }),
  },
  {
    name: "the highest port",
    field: "ports",
    at: spec({ ports: { p: 65_535 } }),
    beyond: spec({ ports: { p: 65_536 } }),
  },
  {
    name: "a variable's name of 255 letters",
    field: "env",
    at: spec({ env: { [letters(LIMITS.variableName)]: "1" } }),
    beyond: spec({ env: { [letters(LIMITS.variableName + 1)]: "1" } }),
  },
  {
    name: "a value of 32 KiB",
    field: "env",
    at: spec({ env: { V: "v".repeat(LIMITS.word) } }),
    beyond: spec({ env: { V: "v".repeat(LIMITS.word + 1) } }),
  },
  {
    name: "a value of 32 KiB in letters of three bytes",
    field: "env",
    at: spec({ env: { V: "€".repeat(Math.floor(LIMITS.word / 3)) } }),
    beyond: spec({ env: { V: "€".repeat(Math.floor(LIMITS.word / 3) + 1) } }),
  },
  {
    name: "an environment as large as a manifest takes",
    field: "env",
    at: spec({ env: words(25, LIMITS.word) }),
    beyond: spec({ env: words(LIMITS.program / LIMITS.word, LIMITS.word) }),
  },
  {
    name: "an argument of 32 KiB",
    field: "command",
    at: spec({ command: [...SLEEPER, "w".repeat(LIMITS.word)] }),
    beyond: spec({ command: [...SLEEPER, "w".repeat(LIMITS.word + 1)] }),
  },
  {
    name: "the highest user and group",
    field: "user",
    at: spec({ user: `${LIMITS.uid}:${LIMITS.uid}` }),
    beyond: spec({ user: `0:${LIMITS.uid + 1}` }),
  },
  {
    name: "the least memory",
    field: "resources.memory",
    at: spec({ resources: { memory: "6M" } }),
    beyond: spec({ resources: { memory: "6143K" } }),
  },
  {
    name: "the least memory of a large environment",
    field: "resources.memory",
    at: spec({ env: words(25, LIMITS.word), resources: { memory: "12M" } }),
    beyond: spec({ env: words(25, LIMITS.word), resources: { memory: "11M" } }),
  },
  {
    name: "the least share of a CPU",
    field: "resources.cpus",
    at: spec({ resources: { cpus: 0.01 } }),
    beyond: spec({ resources: { cpus: 0.009 } }),
  },
  {
    name: "the most CPUs",
    field: "resources.cpus",
    at: spec({ resources: { cpus: 1024 } }),
    beyond: spec({ resources: { cpus: 1024.1 } }),
    onPaperOnly: true,
  },
  {
    name: "the fewest processes",
    field: "resources.pids",
    at: spec({ resources: { pids: LIMITS.pids } }),
    beyond: spec({ resources: { pids: LIMITS.pids - 1 } }),
    ofBundles: true,
  },
  {
    name: "the most processes",
    field: "resources.pids",
    at: spec({ resources: { pids: 4_194_304 } }),
    beyond: spec({ resources: { pids: 4_194_305 } }),
  },
  {
    name: "the least quota",
    field: "quota",
    at: { quota: "1M" },
    beyond: { quota: "1023K" },
  },
  {
    name: "the largest quota",
    field: "quota",
    at: { quota: "8191T" },
    beyond: { quota: "8192T" },
    onPaperOnly: true,
  },
  {
    name: "the smallest record",
    field: "recordsize",
    at: { recordsize: "1K" },
    beyond: { recordsize: "3K" },
  },
  {
    name: "the largest record",
    field: "recordsize",
    at: { recordsize: "128K" },
    beyond: { recordsize: "256K" },
  },
  {
    name: "a part of a path of 255 letters",
    field: "volumes",
    at: { target: `/${letters(LIMITS.pathComponent)}` },
    beyond: { target: `/${letters(LIMITS.pathComponent + 1)}` },
  },
  {
    name: "a path of 1,024 letters",
    field: "volumes",
    at: { target: `/${letters(200)}`.repeat(5) + `/${letters(18)}` },
    beyond: { target: `/${letters(200)}`.repeat(5) + `/${letters(19)}` },
  },
  {
    name: "a path of the instance's own",
    field: "volumes",
    at: { target: "/procs" },
    beyond: { target: "/proc/1" },
  },
  {
    name: "a time-out of nothing",
    field: "ready.timeout",
    at: spec({ ports: { p: 80 }, ready: { tcp: true, timeout: "1ms" } }),
    beyond: spec({ ports: { p: 80 }, ready: { tcp: true, timeout: "0s" } }),
    onPaperOnly: true,
  },
  {
    name: "a liveness time-out of nothing",
    field: "liveness.timeout",
    at: spec({ ports: { p: 80 }, liveness: { tcp: true, timeout: "1ms" } }),
    beyond: spec({ ports: { p: 80 }, liveness: { tcp: true, timeout: "0s" } }),
    onPaperOnly: true,
  },
  {
    name: "liveness asked every second",
    field: "liveness.every",
    at: spec({ ports: { p: 80 }, liveness: { tcp: true, every: "1s" } }),
    beyond: spec({ ports: { p: 80 }, liveness: { tcp: true, every: "999ms" } }),
    onPaperOnly: true,
  },
  {
    name: "a day of drain",
    field: "drain",
    at: spec({ drain: "24h" }),
    beyond: spec({ drain: "1441m" }),
  },
  {
    name: "a day of grace",
    field: "stop_grace",
    at: spec({ stop_grace: "24h" }),
    beyond: spec({ stop_grace: "86400001ms" }),
  },
  {
    name: "a host of 253 letters and a path of 1,024",
    field: "routes",
    at: spec({
      ports: { p: 80 },
      routes: [{ host: `${`${letters(62)}.`.repeat(4)}b`, path: `/${letters(1023)}` }],
    }),
    beyond: spec({
      ports: { p: 80 },
      routes: [{ host: `${`${letters(62)}.`.repeat(4)}bb`, path: `/${letters(1024)}` }],
    }),
  },
  {
    name: "a kept port",
    field: "routes",
    at: spec({ ports: { p: 80 }, routes: [{ tcp: KEPT_PORTS["machines that join"][0] + 1 }] }),
    beyond: spec({ ports: { p: 80 }, routes: [{ tcp: KEPT_PORTS["machines that join"][0] }] }),
  },
];

const BASE: Draft = {
  namespace: "limits",
  service: "web",
  volume: "v",
  target: "/v",
  quota: "8M",
  recordsize: "16K",
  spec: { command: SLEEPER, stop_grace: "1s" },
};

/** The manifest of one service with the values of all of these; of two for one field, the later. */
export function limitManifest(values: readonly Partial<Draft>[], source: Draft["spec"]): Manifest {
  const all = [BASE, ...values].reduce<Draft>((draft, value) => Object.assign(draft, value), { ...BASE });
  const specs = values.flatMap((value) => value.spec ?? []);
  const resources = Object.assign({}, ...specs.map((one) => one.resources));
  const env = Object.assign({}, ...specs.map((one) => one.env));
  const web = Object.assign({ ...source }, BASE.spec, ...specs, { resources, env });
  return {
    namespace: all.namespace,
    services: {
      [all.service]: { ...web, volumes: { [all.volume]: all.target } },
    },
    volumes: { [all.volume]: { quota: all.quota, recordsize: all.recordsize } },
  };
}
