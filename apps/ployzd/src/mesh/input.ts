import { isIP, isIPv4 } from "node:net";
import { isLabel, type JoinDocument, type MachineRecord, type MeshInit, shown } from "@ployz/primitives";
import { isKey, parseCidr } from "@ployz/wireguard";
import { PloyzError } from "../error-codes.ts";

/** What a request to make or to join a mesh may hold. It ends up in configuration files and command arguments, so nothing passes unseen. */
const ENDPOINT = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]):(\d{1,5})$/;
const NKEY = /^U[A-Z2-7]{55}$/;
const CLUSTER_ID = /^[a-z][a-z0-9-]{0,99}$/;
const PLACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const isPort = (text: string | undefined): boolean =>
  text !== undefined && Number(text) >= 1 && Number(text) <= 65_535;

const isEndpoint = (value: unknown): value is string =>
  typeof value === "string" && isPort(ENDPOINT.exec(value)?.[1]);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const invalid = (field: string, message: string, hint: string) =>
  new PloyzError({ code: "invalid_input", message: `${field}: ${message}`, hint });

/** @throws PloyzError `invalid_input`. */
export function checkedEndpoints(endpoints: unknown): readonly string[] {
  const hint = "for example 203.0.113.7:51820";
  if (!Array.isArray(endpoints) || endpoints.length === 0 || endpoints.length > 32)
    throw invalid("endpoints", "is not a list of 1 to 32", hint);
  const wrong = (endpoints as readonly unknown[]).find((one) => !isEndpoint(one));
  if (wrong !== undefined) throw invalid("endpoints", `${shown(wrong)} is not ADDRESS:PORT`, hint);
  return endpoints as readonly string[];
}

const INIT_FIELDS = ["name", "machine", "clusterCidr", "subnetPrefixLength", "runtime", "endpoints"];
const LABEL_HINT = "use 1 to 63 lower-case letters, digits and dashes, starting with a letter";

/** @throws PloyzError `invalid_input`, naming the field. */
export function checkedInit(raw: Readonly<Record<string, unknown>>): MeshInit {
  const { name, machine, clusterCidr, subnetPrefixLength, runtime, endpoints } = raw;
  const unknown = Object.keys(raw).find((field) => !INIT_FIELDS.includes(field));
  if (unknown !== undefined)
    throw invalid(shown(unknown), "is not known here", `known are ${INIT_FIELDS.join(", ")}`);
  if (!isLabel(name)) throw invalid("name", `${shown(name)} is not a valid name`, LABEL_HINT);
  if (machine !== undefined && !isLabel(machine))
    throw invalid("machine", `${shown(machine)} is not a valid name`, LABEL_HINT);
  if (clusterCidr !== undefined) checkCidr(clusterCidr);
  if (
    subnetPrefixLength !== undefined &&
    !(typeof subnetPrefixLength === "number" && Number.isInteger(subnetPrefixLength))
  )
    throw invalid("subnetPrefixLength", `${shown(subnetPrefixLength)} is no number`, "for example 24");
  if (runtime !== undefined && runtime !== "docker" && runtime !== "process")
    throw invalid("runtime", `${shown(runtime)} is neither docker nor process`, "leave it out to detect it");
  if (endpoints !== undefined && !(Array.isArray(endpoints) && endpoints.length <= 32))
    throw invalid("endpoints", "is not a list of at most 32", "for example 203.0.113.7:51820");
  const wrong = ((endpoints ?? []) as readonly unknown[]).find((one) => !isEndpoint(one));
  if (wrong !== undefined)
    throw invalid("endpoints", `${shown(wrong)} is not ADDRESS:PORT`, "for example 203.0.113.7:51820");
  return raw as unknown as MeshInit;
}

/** Addresses that no machine can give to others: this network, loopback, link-local, multicast and beyond (RFC 6890). */
const UNUSABLE = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"];

/** @throws PloyzError `invalid_input`: not a network, or none that machines can have. */
export function checkCidr(text: unknown): void {
  const hint = "for example --cidr 10.101.0.0/16";
  if (typeof text !== "string") throw invalid("clusterCidr", `${shown(text)} is not a network`, hint);
  let cidr: ReturnType<typeof parseCidr>;
  try {
    cidr = parseCidr(text);
  } catch (error) {
    throw invalid("clusterCidr", (error as Error).message, hint);
  }
  if (cidr.family !== 4 || cidr.prefix < 8 || cidr.prefix > 28)
    throw invalid("clusterCidr", `${text} is not an IPv4 network of /8 to /28`, hint);
  const bad = UNUSABLE.find((one) => {
    const { network, prefix } = parseCidr(one);
    return prefix <= cidr.prefix && cidr.network >> BigInt(32 - prefix) === network >> BigInt(32 - prefix);
  });
  if (bad !== undefined)
    throw invalid("clusterCidr", `${text} is in ${bad}, whose addresses machines cannot have`, hint);
}

/** @throws PloyzError `invalid_input`, naming the field. */
export function checkedJoin(raw: Readonly<Record<string, unknown>>): JoinDocument {
  const { v, cluster, machine, machines, storeServers } = raw;
  const hint = "ployzctl machine add makes it; the versions of both machines must fit";
  const need = (good: boolean, field: string) => {
    if (good) return;
    throw new PloyzError({
      code: "invalid_input",
      message: `this is not a join document of version 1: ${field}`,
      hint,
    });
  };
  need(v === 1, "v");
  need(isRecord(cluster), "cluster");
  if (isRecord(cluster)) {
    need(isLabel(cluster.name), "cluster.name");
    need(typeof cluster.id === "string" && CLUSTER_ID.test(cluster.id), "cluster.id");
    need(isCidr(cluster.clusterCidr), "cluster.clusterCidr");
    need(inRange(cluster.subnetPrefixLength, 9, 29), "cluster.subnetPrefixLength");
    need(inRange(cluster.generation, 1, Number.MAX_SAFE_INTEGER), "cluster.generation");
  }
  need(Array.isArray(machines) && machines.length <= 1000, "machines");
  for (const [field, one] of [
    ["machine", machine] as const,
    ...((machines ?? []) as readonly unknown[]).map((one, index) => [`machines.${index}`, one] as const),
  ]) {
    const wrong = wrongIn(one);
    need(wrong === undefined, `${field}${wrong === "" ? "" : `.${wrong}`}`);
  }
  need(Array.isArray(storeServers) && storeServers.length >= 1 && storeServers.length <= 9, "storeServers");
  need((storeServers as readonly unknown[]).every(isServer), "storeServers");
  return raw as unknown as JoinDocument;
}

const inRange = (value: unknown, least: number, most: number): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;

function isCidr(value: unknown): boolean {
  try {
    return typeof value === "string" && parseCidr(value).family === 4;
  } catch {
    return false;
  }
}

const isServer = (value: unknown): boolean => {
  const [host = "", port, ...rest] = typeof value === "string" ? value.split(":") : [];
  return isIPv4(host) && /^\d{1,5}$/.test(port ?? "") && isPort(port) && rest.length === 0;
};

/** The first field of a machine's record that is wrong; empty when it is no record at all. */
function wrongIn(value: unknown): string | undefined {
  if (!isRecord(value)) return "";
  const place = (text: unknown) => text === undefined || (typeof text === "string" && PLACE.test(text));
  const checks: { readonly [field in keyof Required<MachineRecord>]: boolean } = {
    id: isLabel(value.id),
    index: inRange(value.index, 0, 2 ** 21),
    state: ["joining", "active", "draining", "standby", "removed"].includes(String(value.state)),
    publicKey: isKey(String(value.publicKey)),
    endpoints: Array.isArray(value.endpoints) && value.endpoints.every(isEndpoint),
    nkey: typeof value.nkey === "string" && NKEY.test(value.nkey),
    address: isIP(String(value.address)) === 4,
    subnet: isCidr(value.subnet),
    store: typeof value.store === "boolean",
    runtime: value.runtime === "docker" || value.runtime === "process",
    region: place(value.region),
    az: place(value.az),
    version: typeof value.version === "string" && value.version.length <= 100,
    operation: typeof value.operation === "string" && /^[A-Za-z0-9]{1,40}$/.test(value.operation),
  };
  return Object.entries(checks).find(([, good]) => !good)?.[0];
}
