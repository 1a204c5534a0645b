import { describe, expect, it } from "vitest";
import { candidateEndpoints, chooseEndpoint, formatEndpoint, observedAddress } from "./endpoints.ts";

const at = (...addresses: string[]) => addresses.map((address) => ({ address, internal: false }));

describe("candidate endpoints", () => {
  const found = candidateEndpoints(
    {
      lo: [{ address: "127.0.0.1", internal: true }],
      eth1: at("192.168.7.4", "fd00::4"),
      eth0: at("169.254.3.3", "8.8.4.4", "fe80::1", "2600::5"),
      wan0: at("100.64.9.1"),
      docker0: at("172.17.0.1"),
      "br-0123456789ab": at("172.18.0.1"),
      veth12: at("10.9.9.9"),
      "ployz-wg0": at("10.101.1.1"),
      br0: at("10.0.0.5", "10.101.1.1"),
    },
    { exclude: ["10.101.0.0/16"] },
  );

  it("are ranked, without loopback, link-local, container and overlay addresses", () => {
    expect(found.map(({ address }) => address)).toEqual([
      "10.0.0.5",
      "192.168.7.4",
      "100.64.9.1",
      "8.8.4.4",
      "2600::5",
      "fd00::4",
    ]);
  });

  it("the address that a connection used wins, also behind NAT", () => {
    expect(chooseEndpoint(found)).toBe("10.0.0.5");
    expect(chooseEndpoint(found, "192.168.7.4")).toBe("192.168.7.4");
    expect(chooseEndpoint(found, "9.9.9.9")).toBe("9.9.9.9");
    expect(chooseEndpoint(found, "127.0.0.1")).toBe("10.0.0.5");
    expect(chooseEndpoint(found, "m2.example")).toBe("10.0.0.5");
    expect(chooseEndpoint([])).toBeUndefined();
  });

  it("where a connection came from is one, unless only this machine reaches it", () => {
    const interfaces = {
      eth0: [{ address: "192.168.7.4", internal: false, cidr: "192.168.7.4/24" }],
      docker0: [{ address: "172.17.0.1", internal: false, cidr: "172.17.0.1/16" }],
    };
    const seen = (address: string) => observedAddress(address, interfaces, { exclude: ["10.101.0.0/16"] });
    expect(["192.168.7.9", "9.9.9.9", "2600::5"].map(seen)).toEqual(["192.168.7.9", "9.9.9.9", "2600::5"]);
    for (const address of ["127.0.0.1", "fe80::1", "172.17.3.2", "10.101.4.1", "", "m2.example"])
      expect(seen(address), address).toBeUndefined();
  });

  it("are written as wg reads them", () => {
    expect(formatEndpoint("192.0.2.1", 51820)).toBe("192.0.2.1:51820");
    expect(formatEndpoint("2001:db8::1", 51820)).toBe("[2001:db8::1]:51820");
  });
});
