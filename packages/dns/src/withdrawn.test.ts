import { expect, it } from "vitest";
import { trackWithdrawn } from "./withdrawn.ts";
import { projectZone } from "./zone.ts";

const web = "web.prod.cluster.local";
const zone = (...addresses: string[]) =>
  projectZone({
    services: [
      {
        namespace: "prod",
        service: "web",
        instances: addresses.map((address, index) => ({
          id: `i${index}`,
          slot: String(index + 1),
          address,
          ports: { http: 80 },
        })),
      },
      { namespace: "test", service: "web", instances: [{ id: "t", address: "10.0.9.9", ports: {} }] },
    ],
  });

it("an address that was handed out is in use until its TTL has passed", () => {
  const withdrawn = trackWithdrawn();
  withdrawn.answered(["WEB.prod.cluster.local"], 1_000);
  withdrawn.changed(zone("10.0.0.1", "10.0.0.2"), zone("10.0.0.2"), 1_500);
  expect(withdrawn.until(web)).toBe(3_100);
  expect(withdrawn.until("prod.cluster.local")).toBe(3_100);
  expect(withdrawn.until("test.cluster.local")).toBe(0);
});

it("does not wait without recent queries or removed names", () => {
  const withdrawn = trackWithdrawn();
  withdrawn.changed(zone("10.0.0.1"), zone("10.0.0.2"), 1_000);
  expect(withdrawn.until(web)).toBe(0);
  withdrawn.answered([web], 2_000);
  withdrawn.changed(zone("10.0.0.2"), zone("10.0.0.2", "10.0.0.3"), 2_100);
  expect(withdrawn.until(web)).toBe(0);
  withdrawn.changed(zone("10.0.0.2", "10.0.0.3"), zone("10.0.0.3"), 9_000);
  expect(withdrawn.until(web)).toBe(0);
});

it("the address that came along with an SRV answer counts, although the SRV record stays the same", () => {
  const withdrawn = trackWithdrawn();
  withdrawn.answered([`_http._tcp.${web}`, `1.${web}`], 1_000);
  withdrawn.changed(zone("10.0.0.1"), zone("10.0.0.2"), 1_500);
  expect(withdrawn.until("prod.cluster.local")).toBe(3_100);
});

it("a second change does not shorten what the first left behind", () => {
  const withdrawn = trackWithdrawn();
  withdrawn.answered([web], 1_000);
  withdrawn.changed(zone("10.0.0.1"), zone("10.0.0.2"), 1_500);
  withdrawn.changed(zone("10.0.0.2"), zone("10.0.0.2"), 1_600);
  expect(withdrawn.until("prod.cluster.local")).toBe(3_100);
});
