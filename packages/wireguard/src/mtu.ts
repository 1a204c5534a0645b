import { createSocket } from "node:dgram";
import { run } from "@ployz/exec";
import type { CandidateEndpoint } from "./endpoints.ts";

/** The tunnel's maximum overhead per packet: IPv6, UDP, and WireGuard's header and tag (wg-quick(8) uses the same). */
const OVERHEAD = 80;
/** 1500 minus the overhead. Larger only if the operator declares the whole path wider. */
const MOST = 1420;
/** The minimum MTU of IPv6 (RFC 8200, section 5). */
const LEAST = 1280;

/** The tunnel's MTU in bytes, from the MTU of the interfaces through which peers reach this machine: 1280 to 1420. */
export async function overlayMtu(candidates: readonly CandidateEndpoint[]): Promise<number> {
  const { stdout } = await run("ip", ["-j", "link", "show"]);
  const links = JSON.parse(stdout) as readonly { readonly ifname: string; readonly mtu: number }[];
  const used = new Set(candidates.map((candidate) => candidate.interface));
  return tunnelMtu(links.filter(({ ifname }) => used.has(ifname)).map(({ mtu }) => mtu));
}

/** The same, from the MTUs of the links. */
export function tunnelMtu(links: readonly number[]): number {
  return Math.max(LEAST, Math.min(MOST, ...links.map((mtu) => mtu - OVERHEAD)));
}

/** Patience of the test. */
export interface PathOptions {
  /** Time-out of each of three packets; default 700 ms. It is tripled before large ones count as blocked. */
  readonly attemptMs?: number;
  readonly signal?: AbortSignal;
}

/** `blocked`: small packets arrive, packets of the given size do not. `unknown`: small packets get no answer either. */
export type PathVerdict = "passes" | "blocked" | "unknown";

/**
 * Tests whether IPv4 packets of `bytes`, headers included, reach an address. Sends UDP to a closed port: the peer's kernel answers (ICMP,
 * port unreachable), so the peer needs no listener. A busy machine may answer late: a second try has more patience.
 * @throws the abort reason
 */
export async function probePath(
  address: string,
  bytes: number,
  options: PathOptions = {},
): Promise<PathVerdict> {
  const { attemptMs = ATTEMPT_MS } = options;
  for (const patience of [1, 3]) {
    const patient = { ...options, attemptMs: attemptMs * patience };
    if (!(await anyArrives(address, IP_AND_UDP, patient))) return "unknown";
    if (await anyArrives(address, bytes, patient)) return "passes";
  }
  return "blocked";
}

const IP_AND_UDP = 28;
const ATTEMPTS = 3;
const ATTEMPT_MS = 700;
/** tcpmux (RFC 1078): normally closed on UDP too. */
const PORT = 1;

async function anyArrives(
  address: string,
  bytes: number,
  { attemptMs, signal }: PathOptions & { readonly attemptMs: number },
): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++)
    if (await arrives(address, bytes, attemptMs, signal)) return true;
  return false;
}

function arrives(
  address: string,
  bytes: number,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const socket = createSocket("udp4");
    let open = true;
    const finish = (settle: () => void) => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.close();
      settle();
    };
    const onAbort = () => finish(() => reject(signal?.reason));
    const timer = setTimeout(() => finish(() => resolve(false)), timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    // Only "refused" counts as an answer; other errors (no route, packet too long for the interface) do not.
    socket.on("error", (error: NodeJS.ErrnoException) =>
      finish(() => resolve(error.code === "ECONNREFUSED")),
    );
    socket.connect(PORT, address, () => socket.send(Buffer.alloc(bytes - IP_AND_UDP)));
  });
}
