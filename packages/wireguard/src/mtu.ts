import { createSocket } from "node:dgram";
import { run } from "@ployz/exec";
import type { CandidateEndpoint } from "./endpoints.ts";

/** IPv6, UDP, and WireGuard's header and tag: what the tunnel adds to a packet at most (wg-quick(8) takes the same). */
const OVERHEAD = 80;
/** What is left of 1500. Larger only where somebody says that the whole way is wider. */
const MOST = 1420;
/** The least that IPv6 may have (RFC 8200, section 5). */
const LEAST = 1280;

/** The MTU in bytes that the interfaces under which peers reach this machine leave for the tunnel: 1280 to 1420. */
export async function overlayMtu(candidates: readonly CandidateEndpoint[]): Promise<number> {
  const { stdout } = await run("ip", ["-j", "link", "show"]);
  const links = JSON.parse(stdout) as readonly { readonly ifname: string; readonly mtu: number }[];
  const used = new Set(candidates.map((candidate) => candidate.interface));
  return tunnelMtu(links.filter(({ ifname }) => used.has(ifname)).map(({ mtu }) => mtu));
}

/** Of links with these MTUs. */
export function tunnelMtu(links: readonly number[]): number {
  return Math.max(LEAST, Math.min(MOST, ...links.map((mtu) => mtu - OVERHEAD)));
}

export interface PathOptions {
  /** How long each of three packets is waited for; default 700 ms. */
  readonly attemptMs?: number;
  readonly signal?: AbortSignal;
}

/** `blocked`: small packets arrive, those of the asked size do not. `unknown`: not even small ones are answered. */
export type PathVerdict = "passes" | "blocked" | "unknown";

/**
 * Whether IPv4 packets of `bytes`, headers included, get to an address. They are UDP to a closed port, so the peer's kernel answers
 * (ICMP, port unreachable) and nothing has to run there.
 * @throws the abort reason
 */
export async function probePath(
  address: string,
  bytes: number,
  options: PathOptions = {},
): Promise<PathVerdict> {
  if (!(await anyArrives(address, IP_AND_UDP, options))) return "unknown";
  return (await anyArrives(address, bytes, options)) ? "passes" : "blocked";
}

const IP_AND_UDP = 28;
const ATTEMPTS = 3;
/** tcpmux (RFC 1078): nothing listens there on UDP either. */
const PORT = 1;

async function anyArrives(
  address: string,
  bytes: number,
  { attemptMs = 700, signal }: PathOptions,
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
    // Refused is the answer; anything else (no route, a packet that is too long for the interface) is none.
    socket.on("error", (error: NodeJS.ErrnoException) =>
      finish(() => resolve(error.code === "ECONNREFUSED")),
    );
    socket.connect(PORT, address, () => socket.send(Buffer.alloc(bytes - IP_AND_UDP)));
  });
}
