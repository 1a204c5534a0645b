import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contains, formatCidr, overlaps, parseCidr } from "./cidr.ts";
import { overlappingRoutes, planSubnet, subnetCapacity } from "./plan.ts";

const cluster = fc
  .record({ octet: fc.integer({ min: 0, max: 255 }), clusterPrefix: fc.integer({ min: 8, max: 16 }) })
  .map(({ octet, clusterPrefix }) => {
    const bits = BigInt(32 - clusterPrefix);
    const network = ((BigInt(10 * 2 ** 24 + octet * 2 ** 16) >> bits) << bits) as bigint;
    return formatCidr({ family: 4, network, prefix: clusterPrefix });
  });

describe("planSubnet", () => {
  it("gives the documented layout", () => {
    expect(planSubnet({ clusterCidr: "10.101.0.0/16", prefixLength: 24, index: 3 })).toEqual({
      subnet: "10.101.3.0/24",
      machineAddress: "10.101.3.1",
      firstInstance: "10.101.3.2",
      lastInstance: "10.101.3.254",
      instanceCapacity: 253,
    });
    expect(subnetCapacity("10.101.0.0/16", 24)).toBe(256);
  });

  it("never overlaps for two indexes, is the same for one, and stays inside", () => {
    const index = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(
        cluster,
        fc.integer({ min: 24, max: 29 }),
        index,
        index,
        (clusterCidr, prefixLength, a, b) => {
          const one = planSubnet({ clusterCidr, prefixLength, index: a });
          const two = planSubnet({ clusterCidr, prefixLength, index: b });
          expect(overlaps(parseCidr(one.subnet), parseCidr(two.subnet))).toBe(a === b);
          for (const address of [one.machineAddress, one.firstInstance, one.lastInstance]) {
            expect(contains(parseCidr(one.subnet), address)).toBe(true);
            expect(contains(parseCidr(clusterCidr), address)).toBe(true);
          }
          if (a === b) expect(one).toEqual(two);
        },
      ),
    );
  });

  it.each([
    [{ clusterCidr: "10.101.0.0/16", prefixLength: 24, index: 256 }, "subnet_exhausted", /holds 256 subnets/],
    [{ clusterCidr: "10.101.0.0/16", prefixLength: 24, index: -1 }, "subnet_exhausted", /index -1 is out/],
    [
      { clusterCidr: "10.101.0.1/16", prefixLength: 24, index: 0 },
      "cidr_invalid",
      /the network is 10.101.0.0\/16/,
    ],
    [{ clusterCidr: "10.101.0/16", prefixLength: 24, index: 0 }, "cidr_invalid", /expected ADDRESS\/PREFIX/],
    [{ clusterCidr: "010.1.0.0/16", prefixLength: 24, index: 0 }, "cidr_invalid", /expected ADDRESS\/PREFIX/],
    [{ clusterCidr: "10.101.0.0/33", prefixLength: 24, index: 0 }, "cidr_invalid", /prefix must be 0 to 32/],
    [{ clusterCidr: "fd00::/48", prefixLength: 64, index: 0 }, "cidr_invalid", /must be IPv4/],
    [{ clusterCidr: "10.101.0.0/16", prefixLength: 31, index: 0 }, "cidr_invalid", /16 to 29/],
  ])("refuses %j", (request, code, message) => {
    expect(() => planSubnet(request)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

describe("overlappingRoutes", () => {
  it("finds routes that lead into the network, never the default route", () => {
    const routes = [
      { destination: "default", device: "eth0" },
      { destination: "0.0.0.0/0", device: "eth0" },
      { destination: "10.0.0.0/8", device: "vpn0" },
      { destination: "10.101.9.4", device: "eth1" },
      { destination: "192.168.1.0/24", device: "eth0" },
      { destination: "fd00::/64", device: "eth0" },
    ];
    expect(overlappingRoutes("10.101.0.0/16", routes).map(({ device }) => device)).toEqual(["vpn0", "eth1"]);
  });
});
