import { KEPT_PORTS } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { keptPorts } from "./kept-ports.ts";
import { withDefaults } from "./load.ts";

const sorted = (ports: Readonly<Record<string, readonly number[]>>) =>
  Object.fromEntries(Object.entries(ports).map(([use, list]) => [use, [...list].sort()]));

test("the kernel's list is the default configuration's", () => {
  const { SSH: _, DNS: __, ...kernel } = KEPT_PORTS;
  expect(sorted(keptPorts(withDefaults({}, {}, true)))).toEqual(sorted(kernel));
});

test("a machine keeps what its configuration names", () => {
  const file = {
    gateway_listen: ["0.0.0.0:8080", "[::]:8080"],
    gateway_https_listen: ["0.0.0.0:8443"],
    store_port: 5000,
    transfer_port: 7777,
    join_port: 7778,
    wireguard_port: 7779,
    metrics: { listen: "127.0.0.1:7780", gateway: "127.0.0.1:7781" },
  };
  expect(
    Object.values(keptPorts(withDefaults(file, {}, true)))
      .flat()
      .sort(),
  ).toEqual([5000, 5010, 7000, 7010, 7777, 7778, 7779, 7780, 7781, 8080, 8222, 8232, 8443]);
});
