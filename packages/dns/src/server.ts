import { answerQuestion } from "./answer.ts";
import { forward } from "./forward.ts";
import { type Binding, bindAll } from "./listen.ts";
import {
  authoritativeResponse,
  badVersion,
  parseQuery,
  plainResponse,
  type Query,
  truncated,
  udpLimit,
} from "./message.ts";
import { trackUpstreams, type Upstream } from "./upstream-health.ts";
import { followSystemUpstreams, systemUpstreams, withoutSelf } from "./upstreams.ts";
import { trackWithdrawn } from "./withdrawn.ts";
import { projectZone, type Zone, type ZoneOptions, type ZoneRecords } from "./zone.ts";

/** Where the server listens, the zone that it serves, and the resolvers for other names. */
export interface DnsOptions extends Omit<ZoneOptions, "serial"> {
  /** Each is served over UDP and TCP. Port 0 takes a free one. */
  readonly listen: readonly { readonly address: string; readonly port: number }[];
  /** Default: none; every name of the zone is then NXDOMAIN. */
  readonly records?: ZoneRecords;
  /** Resolvers for all other names, tried in order; default the nameservers of `resolvConf`, which is followed. Empty: other names are REFUSED. */
  readonly upstreams?: readonly Upstream[];
  /** Default /etc/resolv.conf. */
  readonly resolvConf?: string;
  /** Per upstream; default 2,000 ms. */
  readonly upstreamTimeoutMs?: number;
  /** Default 10,000 ms (RFC 7766, 6.2.3). */
  readonly tcpIdleMs?: number;
}

/** Counts of questions since the start. */
export interface DnsStats {
  readonly queries: number;
  readonly authoritative: number;
  readonly forwarded: number;
  /** Forwarded, and not answered by any upstream. */
  readonly failed: number;
  readonly rejected: number;
  /** The resolvers for other names. `silent`: it did not answer lately, so others are asked first. */
  readonly upstreams: readonly (Upstream & { readonly silent: boolean })[];
  /** Records of the present zone that cannot be served, and why. */
  readonly skipped: readonly string[];
}

/** The part of the zone that each client sees. */
export interface Views {
  /** The view of a client, by its address; `undefined`: all records. */
  of(address: string): string | undefined;
  /** Asked once for each view, when its first client asks. */
  records(view: string): ZoneRecords;
}

/** A running server of one machine. */
export interface DnsServer {
  /** The addresses that it listens on, with their ports. */
  readonly addresses: readonly { readonly address: string; readonly port: number }[];
  /** Takes effect with the next question. Skips what cannot be served: see `DnsStats.skipped`. */
  update(records: ZoneRecords, views?: Views): void;
  /**
   * Milliseconds for which a client may still use an address of `name`, or of a name below it, that this server answered and
   * `update` has since removed: the rest of the TTL. 0 when no client asked lately.
   */
  staleMs(name: string): number;
  /** Counters since the start, and the present faults. */
  stats(): DnsStats;
  /** Stops listening. Resolves when every socket is closed. */
  close(): Promise<void>;
}

/** More questions than this at upstreams at once are answered SERVFAIL. */
const MAX_FORWARDS = 512;

/** Errors: dns_port_taken, dns_listen_failed, dns_options_invalid. */
export async function openDns(options: DnsOptions): Promise<DnsServer> {
  let serial = 1;
  const project = (records: ZoneRecords): Zone => projectZone(records, { ...options, serial: serial++ });
  let zone = project(options.records ?? { services: [] });
  let views: Views | undefined;
  let seen = new Map<string, Zone>();
  const zoneFor = (from: string): Zone => {
    const view = views?.of(from);
    if (views === undefined || view === undefined) return zone;
    const known = seen.get(view) ?? project(views.records(view));
    seen.set(view, known);
    return known;
  };
  let upstreams = options.upstreams ?? (await systemUpstreams(options.resolvConf));
  const health = trackUpstreams(() => performance.now());
  // For each name its own, and only for answers with a choice: a resolver's AAAA between two As must not use up turns.
  let turns = new Map<string, number>();
  const withdrawn = trackWithdrawn();
  let forwarding = 0;
  const stats = { queries: 0, authoritative: 0, forwarded: 0, failed: 0, rejected: 0 };

  const pass = async (packet: Buffer, query: Query, transport: "udp" | "tcp"): Promise<Buffer> => {
    if (upstreams.length === 0) return plainResponse(query, "REFUSED", false);
    if (forwarding >= MAX_FORWARDS) return plainResponse(query, "SERVFAIL", true);
    stats.forwarded++;
    forwarding++;
    try {
      const timeoutMs = options.upstreamTimeoutMs ?? 2000;
      const response = await forward(packet, query, { upstreams, timeoutMs, transport, health });
      if (!response) {
        stats.failed++;
        return plainResponse(query, "SERVFAIL", true);
      }
      return transport === "udp" && response.length > udpLimit(query) ? truncated(query, true) : response;
    } finally {
      forwarding--;
    }
  };

  const respond = (
    packet: Buffer,
    transport: "udp" | "tcp",
    from: string,
  ): Buffer | Promise<Buffer> | undefined => {
    const parsed = parseQuery(packet);
    if (parsed.kind !== "query") {
      stats.rejected++;
      return parsed.kind === "reject" ? parsed.response : undefined;
    }
    stats.queries++;
    const { query } = parsed;
    const recursion = upstreams.length > 0;
    if (query.edns && query.edns.version > 0) return badVersion(query, recursion);
    if (query.question.class !== "IN") return plainResponse(query, "REFUSED", recursion);
    const { name, type } = query.question;
    const key = name.toLowerCase();
    const turn = turns.get(key) ?? 0;
    const reply = answerQuestion(zoneFor(from), name, type, turn);
    if (!reply) return pass(packet, query, transport);
    if (reply.answers.length > 1) turns.set(key, turn + 1);
    if (reply.answers.length > 0)
      withdrawn.answered([name, ...reply.additionals.map((record) => record.name)], performance.now());
    stats.authoritative++;
    return authoritativeResponse(query, reply, transport === "udp" ? udpLimit(query) : 65_535, recursion);
  };

  const bindings: readonly Binding[] = await bindAll(options.listen, respond, options.tcpIdleMs ?? 10_000);
  const addresses = bindings.map(({ address, port }) => ({ address, port }));
  upstreams = withoutSelf(upstreams, addresses);
  const forget =
    options.upstreams === undefined
      ? followSystemUpstreams((found) => {
          upstreams = withoutSelf(found, addresses);
        }, options.resolvConf)
      : () => {};
  let closing: Promise<unknown> | undefined;

  return {
    addresses,
    update(records, next) {
      const before = zone;
      zone = project(records);
      views = next;
      seen = new Map();
      withdrawn.changed(before, zone, performance.now());
      turns = new Map();
    },
    staleMs: (name) => Math.max(0, withdrawn.until(name.toLowerCase()) - performance.now()),
    stats: () => ({
      ...stats,
      upstreams: upstreams.map((one) => ({ ...one, silent: health.isSilent(one) })),
      skipped: zone.skipped,
    }),
    async close() {
      forget();
      closing ??= Promise.all(bindings.map((binding) => binding.close()));
      await closing;
    },
  };
}
