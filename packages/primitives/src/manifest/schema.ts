import Type, { type Static } from "typebox";
import type { EnvValue } from "../model/commit.ts";
import { LIMITS, STOP_SIGNALS } from "../model/limits.ts";
import * as patterns from "../model/patterns.ts";
import { build } from "./build-schema.ts";
import { container } from "./container-schema.ts";
import { hostPorts } from "./host-ports.ts";
import { liveness, ready } from "./probe-schema.ts";
import { route } from "./route-schema.ts";
import { backup, closed, duration, schedule, snapshots, standby } from "./schedule-schema.ts";
import { map, name, port, size } from "./schema-fields.ts";

/** The manifest as people write it: the published `schema/ployz.schema.json`. References between names and cycles are checked in `check.ts`. */

const place = (description: string) => Type.String({ pattern: patterns.PLACE, description });
/** One schema with two types rather than a union of two: its errors are about the intended one. */
const envValue = Type.Unsafe<EnvValue>({
  type: ["string", "object"],
  pattern: patterns.NO_NUL,
  maxLength: LIMITS.word,
  properties: { secret: name("A secret of this namespace: `ployzctl secret set`.") },
  required: ["secret"],
  ...closed,
});

const env = map(
  patterns.ENV_NAME,
  envValue,
  'Environment variables: strings, or `{ secret = "name" }` for the value of a secret.',
);

const command = Type.Array(Type.String({ pattern: patterns.NO_NUL, maxLength: LIMITS.word }), {
  minItems: 1,
  maxItems: 1000,
  description: "Program and arguments; never passed through a shell.",
});

const constraints = Type.Object(
  {
    region: Type.Optional(place("Only machines of this region.")),
    az: Type.Optional(place("Only machines of this availability zone.")),
    arch: Type.Optional(
      Type.Enum(["amd64", "arm64"], { description: "Only machines of this architecture." }),
    ),
    machines: Type.Optional(
      Type.Array(name("A machine's name."), {
        minItems: 1,
        maxItems: 200,
        uniqueItems: true,
        description: "Only these machines.",
      }),
    ),
    labels: Type.Optional(
      map(
        patterns.LABEL_KEY,
        Type.String({ pattern: patterns.LABEL_VALUE, description: "The label's value." }),
        "Only machines with all of these labels: `ployzctl machine label`.",
        LIMITS.labels,
      ),
    ),
  },
  { ...closed, description: "Where it may run. All that are given must hold." },
);

const resources = Type.Object(
  {
    cpus: Type.Optional(Type.Number({ minimum: 0.01, maximum: 1024, description: "CPUs, for example 0.5." })),
    memory: Type.Optional(size("Memory limit of one instance.")),
    pids: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 4_194_304,
        description: "Processes and threads of one instance at once. Default 4096.",
      }),
    ),
  },
  closed,
);

const workload = {
  image: Type.Optional(
    Type.String({
      pattern: patterns.IMAGE,
      description: "OCI image reference. A tag is resolved to its digest at plan time.",
    }),
  ),
  build: Type.Optional(build),
  bundle: Type.Optional(
    Type.String({
      pattern: patterns.BUNDLE_PATH,
      description: "A folder or tar for a host process, relative to the manifest; shipped by content.",
    }),
  ),
  entrypoint: Type.Optional(
    Type.Array(Type.String({ pattern: patterns.NO_NUL, maxLength: LIMITS.word }), {
      minItems: 1,
      maxItems: 1000,
      description: "Replaces the image's entrypoint, and with it the image's command. Needs `image`.",
    }),
  ),
  command: Type.Optional(command),
  env: Type.Optional(env),
  env_file: Type.Optional(
    Type.Unsafe<string | readonly string[]>({
      type: ["string", "array"],
      items: { type: "string" },
      description:
        "Files of NAME=VALUE lines, relative to the manifest, which `ployzctl` reads; later files and `env` win.",
    }),
  ),
  user: Type.Optional(
    Type.String({ pattern: patterns.USER, description: "`user`, `user:group` or numeric ids." }),
  ),
  after: Type.Optional(
    Type.Array(name("A service or job of this manifest."), {
      maxItems: 1000,
      uniqueItems: true,
      description: "Starts only when these services are ready and these jobs have succeeded.",
    }),
  ),
  resources: Type.Optional(resources),
  constraints: Type.Optional(constraints),
  working_dir: Type.Optional(
    Type.String({
      pattern: patterns.WORKING_DIR,
      description: "Where the program starts. Default: the image's; with a bundle `/app`.",
    }),
  ),
  stop_signal: Type.Optional(
    Type.Enum(STOP_SIGNALS, { description: "Asks the program to end. Default: the image's, else SIGTERM." }),
  ),
  ...container,
  stop_grace: Type.Optional(duration("Time between the stop signal and SIGKILL. Default 10s.")),
};

const service = Type.Object(
  {
    ...workload,
    replicas: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1000, description: "Number of instances. Default 1." }),
    ),
    placement: Type.Optional(
      Type.Literal("every-machine", {
        description: "One instance on every machine that fits; instead of `replicas`.",
      }),
    ),
    spread: Type.Optional(
      Type.Enum(["az", "region"], {
        description: "Instances are spread over zones or regions first, then over machines.",
      }),
    ),
    ports: Type.Optional(
      map(patterns.PORT_NAME, port("Port that the service listens on."), "Named ports.", 100),
    ),
    host_ports: Type.Optional(hostPorts),
    routes: Type.Optional(Type.Array(route, { maxItems: 1000, description: "What the gateways send here." })),
    allow_from: Type.Optional(
      Type.Array(Type.String({ pattern: patterns.PEER, description: "`gw`, `gw:web`, `pr-*` or `*`." }), {
        maxItems: 1000,
        uniqueItems: true,
        description:
          "Workloads of other namespaces that may connect: a namespace, or `namespace:service`. Without it only this namespace and the gateways may.",
      }),
    ),
    ready: Type.Optional(ready),
    liveness: Type.Optional(liveness),
    drain: Type.Optional(duration("Time for requests in flight before SIGTERM. Default 10s.")),
    update: Type.Optional(
      Type.Enum(["start-first", "stop-first"], {
        description: "Default `start-first`; `stop-first` with a single-writer volume or with `host_ports`.",
      }),
    ),
    volumes: Type.Optional(
      map(
        patterns.NAME,
        Type.String({ pattern: patterns.MOUNT_PATH, description: "Where it is mounted." }),
        "Volume name to mount path.",
        100,
      ),
    ),
  },
  closed,
);

const job = Type.Object(
  {
    ...workload,
    timeout: Type.Optional(duration("How long it may run. Default 10m.")),
    schedule: Type.Optional(schedule),
  },
  {
    ...closed,
    description: "Runs to success before what comes after it starts; with a `schedule`, at its times only.",
  },
);

const volume = Type.Object(
  {
    scope: Type.Optional(
      Type.Enum(["single", "shared"], {
        description:
          "Default `single`: one instance writes at a time. `shared`: any number of instances on one machine.",
      }),
    ),
    quota: Type.Optional(size("Most space it may take, snapshots not counted.")),
    recordsize: Type.Optional(size("Record size of the dataset, a power of two from 1K to 128K.")),
    snapshots: Type.Optional(snapshots),
    standby: Type.Optional(standby),
    backup: Type.Optional(backup),
  },
  closed,
);

/** The JSON Schema of manifests, published as `schema.json`. */
export const ManifestSchema = Type.Object(
  {
    namespace: name("The environment that this manifest describes."),
    services: Type.Optional(map(patterns.NAME, service, "Services by name.")),
    jobs: Type.Optional(map(patterns.NAME, job, "Jobs by name.")),
    volumes: Type.Optional(map(patterns.NAME, volume, "Volumes by name.")),
    allow_routes_from: Type.Optional(
      Type.Array(name("A namespace."), {
        maxItems: 1000,
        uniqueItems: true,
        description: "Other namespaces that may route the hosts of this one. Default none.",
      }),
    ),
  },
  {
    ...closed,
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Ployz manifest",
    description: "The whole intended state of one namespace.",
  },
);

/** A manifest as written: see docs/manifest.md. */
export type Manifest = Static<typeof ManifestSchema>;
export type ManifestService = NonNullable<Manifest["services"]>[string];
export type ManifestJob = NonNullable<Manifest["jobs"]>[string];
export type ManifestSchedule = NonNullable<ManifestJob["schedule"]>;
export type ManifestRoute = NonNullable<ManifestService["routes"]>[number];
