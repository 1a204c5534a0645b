import { readFile } from "node:fs/promises";
import { PloyzError } from "../error-codes.ts";

export interface Listener {
  readonly protocol: "tcp" | "udp";
  /** Every address of the machine, IPv6 wildcards included: by default those occupy the port for IPv4 too. */
  readonly everywhere: boolean;
  /** Dotted IPv4; undefined for an IPv6 address. */
  readonly address: string | undefined;
  readonly port: number;
}

/** A port on which a member will listen. `0.0.0.0` is every address. */
export interface Wanted {
  readonly protocol: "tcp" | "udp";
  readonly address: string;
  readonly port: number;
  readonly what: string;
  readonly fix: string;
}

const LISTEN = "0A";
const UNCONNECTED = "07";

/** The listening sockets of one of /proc/net/{tcp,tcp6,udp,udp6} (proc_net(5)): hexadecimal, IPv4 addresses in host order. */
export function parseListeners(protocol: "tcp" | "udp", text: string): readonly Listener[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line): Listener[] => {
      const [, local = "", , state] = line.trim().split(/\s+/);
      const [hex = "", port = ""] = local.split(":");
      if (state !== (protocol === "tcp" ? LISTEN : UNCONNECTED)) return [];
      const address =
        hex.length === 8
          ? [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".")
          : undefined;
      return [{ protocol, everywhere: /^0+$/.test(hex), address, port: Number.parseInt(port, 16) }];
    });
}

/** The ports in `wanted` that are in use. */
export function conflicts(wanted: readonly Wanted[], listeners: readonly Listener[]): readonly Wanted[] {
  return wanted.filter(({ protocol, address, port }) =>
    listeners.some(
      (one) =>
        one.protocol === protocol &&
        one.port === port &&
        (one.everywhere || address === "0.0.0.0" || one.address === address),
    ),
  );
}

async function listening(protocol: "tcp" | "udp"): Promise<readonly Listener[]> {
  const texts = [protocol, `${protocol}6`].map((file) =>
    readFile(`/proc/net/${file}`, "utf8").catch(() => ""),
  ); // no IPv6, no file
  return (await Promise.all(texts)).flatMap((text) => parseListeners(protocol, text));
}

/** Ports in use on `address`, in order. */
export async function takenPorts(protocol: "tcp" | "udp", address: string): Promise<readonly number[]> {
  const found = (await listening(protocol)).filter(
    (one) => one.everywhere || address === "0.0.0.0" || one.address === address,
  );
  return [...new Set(found.map(({ port }) => port))].sort((a, b) => a - b);
}

/** UDP ports at which programs take datagrams from outside: not those on loopback, nor on the machine's overlay address, which are Ployz's own. */
export async function takenUdpPorts(overlay: string): Promise<readonly number[]> {
  const found = (await listening("udp")).filter(
    ({ everywhere, address }) =>
      everywhere || (address !== undefined && address !== overlay && !address.startsWith("127.")),
  );
  return [...new Set(found.map(({ port }) => port))].sort((a, b) => a - b);
}

/** @throws PloyzError `port_taken`, naming each port, its use, and the fix. */
export async function needPorts(wanted: readonly Wanted[]): Promise<void> {
  const listeners = await Promise.all([listening("tcp"), listening("udp")]);
  const taken = conflicts(wanted, listeners.flat());
  const [first] = taken;
  if (first === undefined) return;
  const names = taken.map(({ protocol, address, port, what }) => `${protocol} ${address}:${port} (${what})`);
  throw new PloyzError({
    code: "port_taken",
    message: `in use on this machine: ${names.join(", ")}`,
    hint: `stop the program (find it: ss -${first.protocol[0]}lnp 'sport = :${first.port}'), or ${first.fix}`,
    details: { ports: taken.map(({ protocol, port }) => `${protocol}/${port}`) },
  });
}
