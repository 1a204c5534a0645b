import type { Commit } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { hostPortsOf } from "./host-ports.ts";
import type { Head } from "./project.ts";

const head = (
  namespace: string,
  revision: number,
  hostPorts: readonly object[],
  machines: readonly string[] = ["m1", "m2"],
): Head => {
  const commit = {
    namespace,
    services: { web: { spec: { hostPorts } } },
    instances: machines.map((machine, index) => ({
      ...{ id: `${namespace}.web.${index + 1}`, service: "web", machine },
      ...{ address: `10.101.${index + 1}.${revision + 1}`, ports: { http: 8080 } },
    })),
  };
  return { revision, commit: commit as unknown as Commit };
};
const port = (more: object = {}) => ({ protocol: "tcp", port: 9000, to: "http", ...more });
const allowed = { hostPorts: ["1024-65535"] };

test("are those of the instances on this machine", () => {
  expect(hostPortsOf([head("prod", 1, [port()])], "m2", allowed)).toEqual({
    ports: [
      {
        ...{ protocol: "tcp", port: 9000, to: { address: "10.101.2.2", port: 8080 } },
        ...{ backend: "prod/web/http", instance: "prod.web.2" },
      },
    ],
    dropped: [],
  });
  expect(hostPortsOf([head("prod", 1, [port()])], "m3", allowed).ports).toEqual([]);
});

test("stay with the older commit, and need the machine's policy and a port of the service", () => {
  const heads = [
    head("late", 9, [port(), port({ port: 25 }), port({ port: 9001, to: "gone" })]),
    head("prod", 1, [port({ address: "192.0.2.1" })]),
  ];
  const { ports, dropped } = hostPortsOf(heads, "m1", allowed);
  expect(ports.map(({ instance }) => instance)).toEqual(["prod.web.1"]);
  expect(dropped).toEqual([
    "late/web: TCP port 9000 (an older commit has the port on this machine)",
    expect.stringContaining("late/web: TCP port 25 (does not allow host_ports 25/tcp"),
    "late/web: TCP port 9001 (the service has no port gone)",
  ]);
});
