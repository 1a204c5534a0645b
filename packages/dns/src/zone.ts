import { isIP } from "node:net";
import type { Answer } from "dns-packet";
import { PloyzError } from "./error-codes.ts";

/** The records that the names are made from, in the order of the instances. */
export interface ZoneRecords {
  readonly services: readonly ServiceRecord[];
  /** Served as `<name>.machine.<suffix>`. */
  readonly machines?: readonly { readonly name: string; readonly address: string }[];
}

/** A service's name and its instances: addresses, and one SRV record for each port. */
export interface ServiceRecord {
  readonly namespace: string;
  readonly service: string;
  readonly instances: readonly InstanceRecord[];
}

/** One instance: its label, IPv4 address and ports. */
export interface InstanceRecord {
  /** The part after its last slash is the instance's label, unless `slot` says another. */
  readonly id: string;
  readonly slot?: string;
  readonly address: string;
  /** Port name to number: `{ http: 8080 }` gives `_http._tcp.<service>…`. */
  readonly ports: Readonly<Record<string, number>>;
}

/** Suffix, TTL and reverse range of the zone. */
export interface ZoneOptions {
  /** Default `cluster.local`. */
  readonly suffix?: string;
  /**
   * Seconds, default 2, for answers and for "no such name". Deploys replace instances, and a client that keeps an
   * address longer than the drain of an old instance would reach no server; the resolver is on the same machine, so asking again
   * costs nothing.
   */
  readonly ttl?: number;
  /** The overlay, whose reverse names are answered here and never forwarded: `10.101.0.0/16` (/8, /16 or /24). */
  readonly overlay?: string;
  /** SOA serial; default 1. */
  readonly serial?: number;
}

/** One authoritative zone, ready to answer. Names are lower-case, without the last dot. */
export interface Zone {
  readonly apexes: readonly string[];
  readonly ttl: number;
  readonly serial: number;
  /** The records that cannot be served, and why. */
  readonly skipped: readonly string[];
  /** Every existing name, with its records; empty non-terminals (RFC 8020) have none. */
  readonly names: ReadonlyMap<string, readonly Answer[]>;
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const PORT_LABEL = /^[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$/;

/** Thrown for one record, which is then skipped. */
class Unservable extends Error {}

/** Pure. A record with a part that cannot be a DNS name, or without an IP address, is skipped: it stops no other. */
export function projectZone(records: ZoneRecords, options: ZoneOptions = {}): Zone {
  const suffix = (options.suffix ?? "cluster.local").toLowerCase();
  if (!suffix.split(".").every((label) => LABEL.test(label)))
    throw new PloyzError({
      code: "dns_options_invalid",
      message: `suffix ${JSON.stringify(suffix)} is not a DNS name`,
      hint: "names are DNS labels: a-z, 0-9 and -, at most 63 long",
    });
  const ttl = options.ttl ?? 2;
  const reverse = options.overlay === undefined ? undefined : reverseApex(options.overlay);
  const apexes = reverse === undefined ? [suffix] : [suffix, reverse];
  const names = new Map<string, Answer[]>(apexes.map((apex) => [apex, []]));
  const at = (name: string): Answer[] => {
    for (let parent = name; !names.has(parent); parent = parent.slice(parent.indexOf(".") + 1)) {
      names.set(parent, []);
      if (!parent.includes(".")) break;
    }
    return names.get(name) ?? [];
  };
  const host = (name: string, address: string): void => {
    const family = isIP(address);
    if (family === 0)
      throw new Unservable(`address ${JSON.stringify(address)} of ${name} is not an IP address`);
    at(name).push({ type: family === 4 ? "A" : "AAAA", name, ttl, data: address });
  };
  const pointer = (name: string, address: string): void => {
    const from = reverse === undefined ? undefined : reverseName(address);
    if (from?.endsWith(`.${reverse}`)) at(from).push({ type: "PTR", name: from, ttl, data: name });
  };

  const skipped: string[] = [];
  const each = <T>(list: Iterable<T>, serve: (one: T) => void): void => {
    for (const one of list)
      try {
        serve(one);
      } catch (error) {
        if (!(error instanceof Unservable)) throw error;
        skipped.push(error.message);
      }
  };
  each(records.services, ({ namespace, service, instances }) => {
    const base = [label(service, "service"), label(namespace, "namespace"), suffix].join(".");
    at(base);
    each(instances, (instance) => {
      const slot = label(instance.slot ?? instance.id.slice(instance.id.lastIndexOf("/") + 1), "instance");
      const own = `${slot}.${base}`;
      host(base, instance.address);
      host(own, instance.address);
      pointer(own, instance.address);
      each(Object.entries(instance.ports), ([portName, port]) => {
        if (!PORT_LABEL.test(portName))
          throw new Unservable(`port name ${JSON.stringify(portName)} of ${base} is not a DNS label`);
        const name = `_${portName}._tcp.${base}`;
        at(name).push({ type: "SRV", name, ttl, data: { priority: 0, weight: 1, port, target: own } });
      });
    });
  });
  each(records.machines ?? [], (machine) => {
    const name = `${label(machine.name, "machine")}.machine.${suffix}`;
    host(name, machine.address);
    pointer(name, machine.address);
  });
  return { apexes, ttl, serial: options.serial ?? 1, names, skipped: [...new Set(skipped)] };
}

/** The apex of our zone that holds a name, if one does. */
export function apexOf(zone: Zone, name: string): string | undefined {
  const lower = name.toLowerCase();
  return zone.apexes.find((apex) => lower === apex || lower.endsWith(`.${apex}`));
}

/** RFC 1035, 3.3.13; `minimum` is how long "no such name" is kept (RFC 2308, 4). */
export function soa(zone: Zone, apex: string): Answer {
  const data = {
    mname: `ns.${apex}`,
    rname: `hostmaster.${apex}`,
    serial: zone.serial,
    refresh: 60,
    retry: 10,
    expire: 3600,
    minimum: zone.ttl,
  };
  return { type: "SOA", name: apex, ttl: zone.ttl, data };
}

function label(text: string, what: string): string {
  const lower = text.toLowerCase();
  if (LABEL.test(lower)) return lower;
  throw new Unservable(`${what} ${JSON.stringify(text.slice(0, 80))} is not a DNS label`);
}

function reverseName(address: string): string | undefined {
  return isIP(address) === 4 ? `${address.split(".").reverse().join(".")}.in-addr.arpa` : undefined;
}

function reverseApex(cidr: string): string {
  const [address = "", bits] = cidr.split("/");
  if (isIP(address) !== 4 || !["8", "16", "24"].includes(bits ?? ""))
    throw new PloyzError({
      code: "dns_options_invalid",
      message: `overlay ${JSON.stringify(cidr)} is not an IPv4 /8, /16 or /24`,
      hint: "write e.g. 10.101.0.0/16, or leave it out to have no reverse names",
    });
  const octets = address.split(".").slice(0, Number(bits) / 8);
  return `${octets.reverse().join(".")}.in-addr.arpa`;
}
