import { type ServiceHost, waitFor } from "@ployz/exec";
import { parseCidr } from "./cidr.ts";
import { converge, type EnsureResult, removeInterface } from "./converge.ts";
import { applyPeers, readDump, readHandshakes, readLink } from "./device.ts";
import { PloyzError } from "./error-codes.ts";
import { SESSION_MAX_AGE_MS, trigger } from "./handshake.ts";
import { publicKeyOf, readKeyFile } from "./keys.ts";
import { checkPeers, endpointsOf, nextEndpoint, type Peer, type PeerStatus } from "./peer.ts";
import { probeWireguard, type WireguardSupport } from "./probe.ts";
import { type InterfaceOptions, type InterfaceState, stateFile } from "./state.ts";

/** Name and folder of one interface, and how to run it without the kernel's WireGuard. */
export interface WireguardOptions {
  /** Interface name, at most 15 of [a-z0-9_-]: `ployz-wg0`. */
  readonly name: string;
  /** Directory of the wanted configuration (no secrets), e.g. /var/lib/ployz/wireguard. */
  readonly dir: string;
  /** Runs wireguard-go where the kernel has no WireGuard. */
  readonly services?: ServiceHost;
  /** Default `ployz-wireguard`. */
  readonly serviceName?: string;
}

/** The interface as it is now. */
export interface InterfaceStatus {
  readonly mode: "kernel" | "userspace";
  readonly up: boolean;
  readonly mtu: number;
  readonly addresses: readonly string[];
  readonly publicKey?: string;
  readonly listenPort: number;
  readonly peers: readonly PeerStatus[];
}

/** How long to wait, and how old a handshake may be. */
export interface HandshakeOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Maximum age of a handshake; default 180,000 ms, the lifetime of a session. */
  readonly maxAgeMs?: number;
}

/** One WireGuard interface. Calls run one after the other; each may be repeated, and repairs a broken interface. */
export interface Wireguard {
  /** What this machine supports: see `probeWireguard`. */
  probe(): Promise<WireguardSupport>;
  /** Creates the interface, or adopts the running one, and applies these options and the peers of the last `setPeers`. */
  ensure(options: InterfaceOptions): Promise<EnsureResult>;
  /** Sets exactly these peers and their routes. Unchanged peers are not touched, so they lose no packets. */
  setPeers(peers: readonly Peer[]): Promise<EnsureResult>;
  /** `undefined` when there is no live interface. */
  status(): Promise<InterfaceStatus | undefined>;
  /**
   * Switches peers that have no live session to their next endpoint. Resolves with their public keys. Call again after some seconds: a
   * handshake takes a round trip, and WireGuard retries every five seconds.
   */
  tryFallbacks(): Promise<readonly string[]>;
  /** Resolves when each of the peers has a live session; meanwhile tries their fallbacks. @throws PloyzError `handshake_timeout`, naming the peers without a session. */
  waitForHandshake(publicKeys: readonly string[], options: HandshakeOptions): Promise<void>;
  /** Removes the interface, its service and its stored configuration. Keeps the key file. */
  remove(): Promise<void>;
}

/** Time for an endpoint to answer: less than WireGuard's retry interval of five seconds, so that each endpoint is tried once. */
const FALLBACK_MS = 4_000;

/** @throws PloyzError `interface_name_invalid`. */
export function openWireguard(options: WireguardOptions): Wireguard {
  const { name, dir } = options;
  if (!/^[a-z][a-z0-9_-]{0,14}$/.test(name)) {
    throw new PloyzError({
      code: "interface_name_invalid",
      message: `${JSON.stringify(name.slice(0, 80))} is not an interface name: at most 15 of a-z, 0-9, - and _, a letter first`,
    });
  }
  const site = {
    name,
    dir,
    services: options.services,
    serviceName: options.serviceName ?? "ployz-wireguard",
  };
  const file = stateFile(dir, name);
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work, work);
    last = turn.catch(() => {});
    return turn;
  };

  async function apply(next: InterfaceState): Promise<EnsureResult> {
    const interfaceOptions = next.options;
    if (interfaceOptions === undefined) throw missing(name);
    const publicKey = publicKeyOf(await readKeyFile(interfaceOptions.privateKeyFile));
    checkPeers(next.peers, publicKey);
    await file.write(next); // written first, so that the wanted state survives a crash
    const result = await converge(site, { ...next, options: interfaceOptions, publicKey });
    const appliedEndpoints = Object.fromEntries(
      next.peers.flatMap(({ publicKey: key, endpoint }) => (endpoint === undefined ? [] : [[key, endpoint]])),
    );
    await file.write({ ...next, appliedEndpoints });
    return result;
  }

  const tryFallbacks = (): Promise<readonly string[]> =>
    inTurn(async () => {
      const wanted = (await file.read()).peers.filter((peer) => endpointsOf(peer).length > 1);
      if (wanted.length === 0) return [];
      const live = new Map((await readDump(name))?.peers.map((peer) => [peer.publicKey, peer]));
      const moved = wanted.flatMap((peer) => {
        const now = live.get(peer.publicKey);
        if (now === undefined || Date.now() - (now.latestHandshake ?? 0) < SESSION_MAX_AGE_MS) return [];
        const endpoint = nextEndpoint(peer, now.endpoint);
        return endpoint === undefined ? [] : [{ ...peer, endpoint }];
      });
      await applyPeers(name, dir, { added: [], changed: moved, removed: [] });
      await trigger(moved);
      return moved.map(({ publicKey }) => publicKey);
    });

  return {
    probe: probeWireguard,
    ensure: (wanted) =>
      inTurn(async () => {
        checkOptions(wanted);
        return apply({ ...(await file.read()), options: wanted });
      }),
    setPeers: (peers) => inTurn(async () => apply({ ...(await file.read()), peers })),
    async status() {
      const [link, dump] = await Promise.all([readLink(name), readDump(name)]);
      if (link === undefined || dump === undefined) return undefined;
      const { up, mtu, addresses } = link;
      return { mode: link.kind === "wireguard" ? "kernel" : "userspace", up, mtu, addresses, ...dump };
    },
    tryFallbacks,
    async waitForHandshake(publicKeys, { timeoutMs, signal, maxAgeMs = SESSION_MAX_AGE_MS }) {
      const peers = (await file.read()).peers.filter(({ publicKey }) => publicKeys.includes(publicKey));
      let pending = [...publicKeys];
      let nextTrigger = 0;
      let nextFallback = performance.now() + FALLBACK_MS;
      const probe = async () => {
        const handshakes = await readHandshakes(name);
        pending = publicKeys.filter((key) => Date.now() - (handshakes.get(key) ?? 0) > maxAgeMs);
        if (pending.length === 0) return true;
        if (performance.now() >= nextTrigger) {
          nextTrigger = performance.now() + 500;
          await trigger(peers.filter(({ publicKey }) => pending.includes(publicKey)));
        }
        if (performance.now() >= nextFallback) {
          nextFallback = performance.now() + FALLBACK_MS;
          await tryFallbacks();
        }
        return undefined;
      };
      try {
        await waitFor("WireGuard handshakes", probe, {
          timeoutMs,
          intervalMs: 25,
          ...(signal && { signal }),
        });
      } catch (error) {
        if (!(error instanceof PloyzError) || error.code !== "deadline_exceeded") throw error;
        throw noHandshake(pending, peers, timeoutMs, error);
      }
    },
    remove: () =>
      inTurn(async () => {
        await removeInterface(site);
        await file.remove();
      }),
  };
}

function checkOptions({ address, listenPort, mtu }: InterfaceOptions): void {
  const { family, prefix } = parseCidr(address);
  const refuse = (message: string) => new PloyzError({ code: "interface_options_invalid", message });
  if (prefix !== (family === 4 ? 32 : 128) || !address.includes("/")) {
    throw refuse(`the machine's address ${address} must be a host network, like 10.101.3.1/32`);
  }
  if (!Number.isInteger(listenPort) || listenPort < 1 || listenPort > 65_535) {
    throw refuse(`the WireGuard port must be 1 to 65535, not ${listenPort}`);
  }
  if (mtu !== undefined && (!Number.isInteger(mtu) || mtu < 1280 || mtu > 9000)) {
    throw refuse(`the MTU must be 1280 to 9000, not ${mtu}`);
  }
}

function missing(name: string): PloyzError {
  return new PloyzError({
    code: "interface_missing",
    message: `the interface ${name} was never set up on this machine`,
    hint: "create a cluster (ployzctl mesh init) or join one first",
  });
}

function noHandshake(
  keys: readonly string[],
  peers: readonly Peer[],
  timeoutMs: number,
  cause: PloyzError,
): PloyzError {
  const named = keys.map((key) => {
    const endpoint = peers.find(({ publicKey }) => publicKey === key)?.endpoint;
    return `${key} (${endpoint ?? "no endpoint"})`;
  });
  return new PloyzError(
    {
      code: "handshake_timeout",
      message: `no WireGuard handshake within ${timeoutMs} ms with ${named.join(", ")}`,
      hint: "is the UDP port open in the firewalls on both sides, and does each know the other's present key?",
      details: { peers: [...keys] },
    },
    { cause },
  );
}
