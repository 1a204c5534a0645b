import ipaddr from "ipaddr.js";
import { PloyzError } from "./error-codes.ts";

/** A network in canonical form: no bits set beyond the prefix. */
export interface Cidr {
  readonly family: 4 | 6;
  /** Network address. */
  readonly network: bigint;
  readonly prefix: number;
}

/**
 * Parses `10.101.0.0/16` or `fd00::/64`; a bare address is a host network (/32, /128).
 * @throws PloyzError `cidr_invalid`, with the reason; bits beyond the prefix are refused, and the message names the likely network.
 */
export function parseCidr(text: string): Cidr {
  const [address = "", length, ...rest] = text.split("/");
  const parsed = parseAddress(address);
  if (parsed === undefined || rest.length > 0)
    throw invalid(text, "expected ADDRESS/PREFIX, e.g. 10.101.0.0/16");
  const bits = parsed.family === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : /^(0|[1-9]\d{0,2})$/.test(length) ? Number(length) : -1;
  if (prefix < 0 || prefix > bits) throw invalid(text, `the prefix must be 0 to ${bits}`);
  const network = (parsed.value >> BigInt(bits - prefix)) << BigInt(bits - prefix);
  if (network !== parsed.value) {
    throw invalid(
      text,
      `it has host bits set; the network is ${formatCidr({ family: parsed.family, network, prefix })}`,
    );
  }
  return { family: parsed.family, network, prefix };
}

/** As text: `10.101.3.0/24`. */
export function formatCidr({ family, network, prefix }: Cidr): string {
  return `${formatAddress(family, network)}/${prefix}`;
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  if (a.family !== b.family) return false;
  const shift = BigInt((a.family === 4 ? 32 : 128) - Math.min(a.prefix, b.prefix));
  return a.network >> shift === b.network >> shift;
}

export function contains(cidr: Cidr, address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined || parsed.family !== cidr.family) return false;
  const shift = BigInt((cidr.family === 4 ? 32 : 128) - cidr.prefix);
  return parsed.value >> shift === cidr.network >> shift;
}

/** The n-th address of a network; 0 is the network address itself. */
export function addressAt(cidr: Cidr, offset: bigint): string {
  return formatAddress(cidr.family, cidr.network + offset);
}

/** The address that represents a peer: the only one of a host network, else the first host. */
export function firstHost(cidr: Cidr): string {
  return addressAt(cidr, cidr.prefix === (cidr.family === 4 ? 32 : 128) ? 0n : 1n);
}

/** Strict: four decimal parts without leading zeros, or IPv6 without zone. `undefined` for anything else. */
export function parseAddress(text: string): { family: 4 | 6; value: bigint } | undefined {
  if (text.includes(".") && !text.includes(":")) {
    if (!ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
    return { family: 4, value: toBigInt(ipaddr.IPv4.parse(text).toByteArray()) };
  }
  if (text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
  return { family: 6, value: toBigInt(ipaddr.IPv6.parse(text).toByteArray()) };
}

function toBigInt(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function formatAddress(family: 4 | 6, value: bigint): string {
  const size = family === 4 ? 4 : 16;
  const bytes = Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * (size - 1 - i))) & 255n));
  return ipaddr.fromByteArray(bytes).toString();
}

function invalid(text: string, why: string): PloyzError {
  return new PloyzError({
    code: "cidr_invalid",
    message: `${JSON.stringify(text.slice(0, 80))} is not a network: ${why}`,
  });
}
