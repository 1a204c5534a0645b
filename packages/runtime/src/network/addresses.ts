import { isIPv4 } from "node:net";
import { PloyzError } from "../error-codes.ts";
import type { NetworkSpec } from "../runtime.ts";

export interface Subnet {
  readonly prefix: number;
  /** Network address. */
  readonly base: string;
  /** The bits that count hosts, as an address: `0.0.0.255` for a /24. */
  readonly hostMask: string;
}

/** @throws PloyzError `network_invalid` */
export function parseSubnet(cidr: string): Subnet {
  const [address = "", length = ""] = cidr.split("/");
  const prefix = Number(length);
  if (!isIPv4(address) || !/^\d{1,2}$/.test(length) || prefix < 1 || prefix > 30) {
    throw networkInvalid(`"${cidr}" is not an IPv4 subnet`);
  }
  const hostBits = 2 ** (32 - prefix) - 1;
  const value = toNumber(address);
  return { prefix, base: toAddress(value - (value % (hostBits + 1))), hostMask: toAddress(hostBits) };
}

export function contains(cidr: string, address: string): boolean {
  const { prefix, base } = parseSubnet(cidr);
  const size = 2 ** (32 - prefix);
  return Math.floor(toNumber(address) / size) === toNumber(base) / size;
}

/** @throws PloyzError `network_invalid` */
export function checkNetwork(network: NetworkSpec): NetworkSpec {
  if (!/^[a-z][a-z0-9]{0,14}$/.test(network.bridge)) {
    throw networkInvalid(`bridge "${network.bridge}" must match [a-z][a-z0-9]{0,14}`);
  }
  const subnet = parseSubnet(network.subnet);
  parseSubnet(network.clusterCidr);
  if (!isIPv4(network.gateway) || !contains(network.subnet, network.gateway)) {
    throw networkInvalid(`gateway ${network.gateway} is not in ${network.subnet}`);
  }
  if (toNumber(network.gateway) !== toNumber(subnet.base) + 1) {
    throw networkInvalid(`gateway ${network.gateway} is not the first host of ${network.subnet}`);
  }
  if (!contains(network.clusterCidr, subnet.base)) {
    throw networkInvalid(`subnet ${network.subnet} is not in ${network.clusterCidr}`);
  }
  if (!Number.isInteger(network.mtu) || network.mtu < 576 || network.mtu > 65535) {
    throw networkInvalid(`MTU ${network.mtu} is not between 576 and 65535`);
  }
  return network;
}

/** @throws PloyzError `address_invalid` when an instance could not have this address here. */
export function checkAddress(network: NetworkSpec, address: string): void {
  if (!contains(network.subnet, address) || address === network.gateway) {
    throw new PloyzError({
      code: "address_invalid",
      message: `address ${address} is not for an instance of ${network.subnet}`,
      hint: `pick one within ${network.subnet} other than ${network.gateway}`,
    });
  }
}

/** A locally administered MAC made from the address, so that a recreated instance is found in its neighbours' ARP tables. */
export function macOf(address: string): string {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return `02:70:${bytes.join(":")}`;
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

function networkInvalid(message: string): PloyzError {
  return new PloyzError({ code: "network_invalid", message });
}
