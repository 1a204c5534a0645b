import { nanosOf, type Origin, type ShippedLine } from "./lines.ts";

/** Where the lines come from besides their instance. */
export interface Sender {
  readonly cluster: string;
  readonly machine: string;
}

/** In the order of their first lines. */
function byKey<T>(lines: readonly T[], key: (line: T) => string): readonly (readonly [T, ...T[]])[] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const line of lines) {
    const group = groups.get(key(line));
    if (group === undefined) groups.set(key(line), [line]);
    else group.push(line);
  }
  return [...groups.values()];
}

const attributes = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([key, value]) => ({ key, value: { stringValue: value } }));

const idOf = ({ origin, stream, time, nth }: ShippedLine) => `${origin.instance}/${stream}/${time}/${nth}`;

/** OTLP over HTTP, in JSON: `ExportLogsServiceRequest`. Each instance is a resource, named by OpenTelemetry's conventions. */
export function otlp(lines: readonly ShippedLine[], { cluster, machine }: Sender): string {
  const resourceLogs = byKey(lines, ({ origin }) => origin.instance).map((group) => {
    const { namespace, service, slot, revision, instance } = group[0].origin;
    return {
      resource: {
        attributes: attributes({
          ...{ "service.namespace": namespace, "service.name": service, "service.version": revision },
          ...{ "service.instance.id": instance, "host.name": machine },
          ...{ "ployz.cluster": cluster, "ployz.slot": slot },
        }),
      },
      scopeLogs: [
        {
          scope: { name: "ployz" },
          logRecords: group.map((line) => ({
            timeUnixNano: nanosOf(line.time),
            observedTimeUnixNano: nanosOf(line.time),
            body: { stringValue: line.line },
            attributes: attributes({ "log.iostream": line.stream, "log.record.uid": idOf(line) }),
          })),
        },
      ],
    };
  });
  return JSON.stringify({ resourceLogs });
}

/** Loki's push API. */
export function loki(lines: readonly ShippedLine[], { cluster, machine }: Sender): string {
  const streams = byKey(lines, ({ origin, stream }) => `${origin.instance} ${stream}`).map((group) => {
    const [{ origin, stream }] = group;
    const { namespace, service, slot, revision } = origin;
    return {
      stream: { cluster, machine, namespace, service, slot, revision, stream },
      values: group.map(({ time, line }) => [nanosOf(time), line]),
    };
  });
  return JSON.stringify({ streams });
}

/** Facility local0: informational, and notice for stderr. */
const PRIORITY = { stdout: 134, stderr: 133 } as const;
/** The number that IANA keeps for examples (RFC 5612): Ployz has none of its own. */
const SD_ID = "ployz@32473";

/** RFC 5424, each message after its length in bytes (RFC 6587, octet counting). */
export function syslog(lines: readonly ShippedLine[], { cluster, machine }: Sender): Buffer {
  const messages = lines.flatMap((line) => {
    const { origin, stream, time } = line;
    const data = paramsOf({ cluster, ...named(origin), id: idOf(line) });
    const at = `${time.slice(0, 19)}${/\.\d{1,6}/.exec(time)?.[0] ?? ""}Z`;
    const app = `${origin.namespace}.${origin.service}`.slice(0, 48);
    const header = `<${PRIORITY[stream]}>1 ${at} ${machine} ${app} ${origin.instance.slice(0, 128)} ${stream}`;
    const message = Buffer.from(`${header} [${SD_ID} ${data}] ${line.line}`);
    return [Buffer.from(`${message.length} `), message];
  });
  return Buffer.concat(messages);
}

const named = ({ namespace, service, slot, revision }: Origin) => ({ namespace, service, slot, revision });

const paramsOf = (values: Readonly<Record<string, string>>) =>
  Object.entries(values)
    .map(([name, value]) => `${name}="${value.replace(/["\\\]]/g, "\\$&")}"`)
    .join(" ");
