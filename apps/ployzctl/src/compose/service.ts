import { isTable, merged, type Table } from "../manifest/document.ts";
import { CONTAINER_KEYS, convertBuild, convertContainer } from "./container.ts";
import { durationText, sizeText } from "./durations.ts";
import { convertFiles, type Definitions } from "./files.ts";
import { UNSUPPORTED } from "./keys.ts";
import { convertMounts } from "./mounts.ts";
import { convertPorts } from "./ports.ts";
import { convertCommand, convertHealthcheck, timeOf } from "./ready.ts";
import { type ComposePath, ownFields, type Report } from "./report.ts";
import { scalarText } from "./words.ts";

/** Keys that the conversion reads. */
const SUPPORTED = [
  ...[
    "image",
    "command",
    "environment",
    "env_file",
    "ports",
    "expose",
    "volumes",
    "depends_on",
    "healthcheck",
  ],
  ...["restart", "deploy", "scale", "mem_limit", "cpus", "pids_limit", "user", "stop_grace_period"],
  ...["build", "configs", "secrets", ...CONTAINER_KEYS],
];

/** One service as a table of the manifest. `job`: others wait until it has succeeded. */
export function convertService(
  service: Table,
  at: ComposePath,
  { report, job, ...definitions }: Definitions & { readonly report: Report; readonly job: boolean },
): Table {
  const own = ownFields(service, at, report);
  for (const key of Object.keys(service)) {
    if (SUPPORTED.includes(key) || key.startsWith("x-")) continue;
    const use = Object.hasOwn(UNSUPPORTED, key) ? UNSUPPORTED[key] : undefined;
    report.add(
      [...at, key],
      use === undefined ? "is not a key of a service" : "is not supported",
      use ?? "check its spelling",
    );
  }
  if (service.image === undefined && service.build === undefined && own.bundle === undefined)
    report.add(at, "has no image", "name one: image: REF");
  const command = convertCommand(service.command, [...at, "command"], report);
  const after = afterOf(service.depends_on, [...at, "depends_on"], report);
  const grace = service.stop_grace_period;
  const graceMs = grace === undefined ? undefined : timeOf(grace, [...at, "stop_grace_period"], report);
  const base = {
    // With `build`, Compose takes `image` as the name of the result.
    ...(service.build !== undefined
      ? { build: convertBuild(service.build, [...at, "build"], report) }
      : service.image !== undefined && { image: service.image }),
    ...(command !== undefined && { command }),
    ...environment(service.environment, [...at, "environment"], report),
    ...envFiles(service.env_file, [...at, "env_file"], report),
    ...(service.user !== undefined && { user: scalarText(service.user) }),
    ...(graceMs !== undefined && { stop_grace: durationText(graceMs) }),
    ...(after.length > 0 && { after }),
    ...resources(service, at, report),
    ...convertContainer(service, at, report),
  };
  const mounts = convertMounts(service.volumes, [...at, "volumes"], report);
  const files = { ...convertFiles(service, at, definitions, report), ...mounts.files };
  const withFiles = {
    ...base,
    ...(Object.keys(files).length > 0 && { files }),
    ...(Object.keys(mounts.binds).length > 0 && { binds: mounts.binds }),
  };
  checkRestart(service.restart, [...at, "restart"], { report, job });
  if (job) {
    const none = "another service waits until this one has succeeded: it is a job, which has none";
    for (const key of ["ports", "expose", "healthcheck", "scale"])
      if (service[key] !== undefined) report.add([...at, key], none, "leave it out");
    for (const [key, value] of Object.entries(isTable(service.deploy) ? service.deploy : {}))
      if (key !== "resources" && !(key === "restart_policy" && isTable(value) && value.condition === "none"))
        report.add([...at, "deploy", key], none, "leave it out");
    for (const name of Object.keys(mounts.volumes))
      report.add(
        [...at, "volumes"],
        `another service waits until this one has succeeded: it is a job, which has no volume ${name}`,
        "leave it out",
      );
    return merged(withFiles, own) as Table;
  }
  const { ports, routes, hostPorts } = convertPorts(service, at, {
    ...{ report, routed: own.routes !== undefined || own.host_ports !== undefined },
  });
  const { volumes } = mounts;
  const ready =
    isTable(service.healthcheck) && own.ready === undefined
      ? convertHealthcheck(service.healthcheck, [...at, "healthcheck"], report)
      : undefined;
  const whole = {
    ...withFiles,
    ...replicas(service, at, report),
    ...(Object.keys(ports).length > 0 && { ports }),
    ...(routes.length > 0 && { routes }),
    ...(hostPorts.length > 0 && { host_ports: hostPorts }),
    ...(Object.keys(volumes).length > 0 && { volumes }),
    ...(ready !== undefined && { ready }),
  };
  return merged(whole, own) as Table;
}

function environment(value: unknown, at: ComposePath, report: Report): Table {
  if (value === undefined || value === null) return {};
  const entries = Array.isArray(value)
    ? value.map((entry, index) => {
        const text = String(entry);
        const cut = text.indexOf("=");
        return {
          name: cut < 0 ? text : text.slice(0, cut),
          value: cut < 0 ? null : text.slice(cut + 1),
          at: index,
        };
      })
    : Object.entries(value as Table).map(([name, one]) => ({ name, value: one, at: name }));
  const env = entries.flatMap(({ name, value: one, at: where }): [string, string][] => {
    if (one !== null && one !== undefined) return [[name, scalarText(one)]];
    report.add([...at, where], `${name} has no value`, "give it one, or put it into a file: env_file");
    return [];
  });
  return env.length > 0 ? { env: Object.fromEntries(env) } : {};
}

function envFiles(value: unknown, at: ComposePath, report: Report): Table {
  if (value === undefined) return {};
  const entries: readonly unknown[] = Array.isArray(value) ? value : [value];
  const files = entries.flatMap((entry, index): string[] => {
    if (typeof entry === "string") return [entry];
    const { path, required = true, ...rest } = isTable(entry) ? entry : {};
    const [other] = Object.keys(rest);
    if (typeof path === "string" && required === true && other === undefined) return [path];
    report.add(
      [...at, index, other ?? "required"],
      "is not supported",
      "name the path of a file that is there",
    );
    return [];
  });
  return { env_file: files };
}

const CONDITIONS = ["service_started", "service_healthy", "service_completed_successfully"];

function afterOf(value: unknown, at: ComposePath, report: Report): readonly string[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value.map(String);
  return Object.entries(value as Table).map(([name, entry]) => {
    const { condition = "service_started", required = true, ...rest } = isTable(entry) ? entry : {};
    if (!CONDITIONS.includes(String(condition)))
      report.add([...at, name, "condition"], `${String(condition)} is not supported`, CONDITIONS.join(", "));
    if (required !== true) report.add([...at, name, "required"], "is not supported", "leave it out");
    const [other] = Object.keys(rest);
    if (other !== undefined) report.add([...at, name, other], "is not supported", "leave it out");
    return name;
  });
}

function checkRestart(
  value: unknown,
  at: ComposePath,
  { report, job }: { readonly report: Report; readonly job: boolean },
): void {
  if (value === undefined || (job && value === "no")) return;
  if (!job && (value === "always" || value === "unless-stopped")) return;
  report.add(
    at,
    `${scalarText(value)} is not supported`,
    job
      ? "leave it out: a job runs once"
      : "use always: a service is restarted. A program that runs once is a job: let another service depend on it by service_completed_successfully",
  );
}

function resources(service: Table, at: ComposePath, report: Report): Table {
  const deploy = isTable(service.deploy) ? service.deploy : {};
  const given = isTable(deploy.resources) ? deploy.resources : {};
  for (const key of Object.keys(given))
    if (key !== "limits") report.add([...at, "deploy", "resources", key], "is not supported", "use limits");
  const limits = isTable(given.limits) ? given.limits : {};
  for (const key of Object.keys(limits))
    if (!["cpus", "memory", "pids"].includes(key))
      report.add([...at, "deploy", "resources", "limits", key], "is not supported", "leave it out");
  const cpus = limits.cpus ?? service.cpus;
  const memory = limits.memory ?? service.mem_limit;
  const pids = limits.pids ?? service.pids_limit;
  if (pids !== undefined && !(Number(pids) > 0))
    report.add(
      [...at, limits.pids === undefined ? "pids_limit" : "deploy"],
      `${scalarText(pids)}, no limit, is not supported`,
      "name a number, or leave it out: 4096",
    );
  const size = memory === undefined ? undefined : sizeText(memory);
  if (memory !== undefined && size === undefined)
    report.add(
      [...at, limits.memory === undefined ? "mem_limit" : "deploy"],
      `${scalarText(memory)} is not a size`,
      "for example 256M",
    );
  const found = {
    ...(cpus !== undefined && { cpus: Number(cpus) }),
    ...(size !== undefined && { memory: size }),
    ...(pids !== undefined && Number(pids) > 0 && { pids: Number(pids) }),
  };
  return Object.keys(found).length > 0 ? { resources: found } : {};
}

function replicas(service: Table, at: ComposePath, report: Report): Table {
  const deploy = isTable(service.deploy) ? service.deploy : {};
  const path = [...at, "deploy"];
  for (const key of Object.keys(deploy))
    if (!["mode", "replicas", "resources", "update_config", "restart_policy"].includes(key))
      report.add(
        [...path, key],
        "is not supported",
        key === "placement" ? "use x-ployz: { constraints: … }" : "leave it out",
      );
  for (const [key, value] of Object.entries(isTable(deploy.restart_policy) ? deploy.restart_policy : {}))
    if (key !== "condition" || value !== "any")
      report.add(
        [...path, "restart_policy", key],
        "is not supported",
        "leave it out: a service is always restarted, after growing pauses",
      );
  const update = isTable(deploy.update_config) ? deploy.update_config : {};
  for (const key of Object.keys(update))
    if (key !== "order")
      report.add(
        [...path, "update_config", key],
        "is not supported",
        "leave it out: all instances become ready before any is replaced",
      );
  const count = deploy.replicas ?? service.scale;
  if (deploy.mode !== undefined && deploy.mode !== "replicated" && deploy.mode !== "global")
    report.add([...path, "mode"], `${scalarText(deploy.mode)} is not supported`, "replicated or global");
  if (deploy.mode === "global" && count !== undefined)
    report.add([...path, "mode"], "global goes without a number of replicas", "leave one of them out");
  return {
    ...(deploy.mode === "global"
      ? { placement: "every-machine" }
      : count !== undefined && { replicas: Number(count) }),
    ...(update.order !== undefined && { update: update.order }),
  };
}
