import { describe, expect, test } from "vitest";
import { branch } from "../../branch/index.ts";
import { forbiddenHostPort } from "../../model/host-ports.ts";
import { promote } from "../../promote/index.ts";
import { apply, deploy, emptyWorld, headOf, inspect } from "../../testing/scenarios/change.ts";
import { type MachinePorts, unfitHostPorts } from "./host-ports.ts";

const machine = (more: Partial<MachinePorts> = {}): MachinePorts => ({
  listening: { tcp: [], udp: [] },
  kept: undefined,
  addresses: ["192.0.2.7"],
  allowed: { capabilities: [], hostPorts: ["1024-65535"] },
  claims: [],
  ...more,
});
const port = (more: object = {}) => ({ protocol: "tcp" as const, port: 9000, to: "http", ...more });

test.each([
  ["a free port", port(), {}, undefined],
  ["a program", port(), { listening: { tcp: [9000], udp: [] } }, "another program listens there"],
  ["a program of UDP", port(), { listening: { tcp: [], udp: [9000] } }, undefined],
  ["a kept port", port({ port: 9464 }), {}, "is kept for metrics"],
  ["a port kept here", port(), { kept: { transfers: [9000] } }, "is kept for transfers"],
  [
    "another service",
    port(),
    { claims: [{ protocol: "tcp", port: 9000, machine: "m1", owner: "a/b" }] },
    "is taken by a/b",
  ],
  [
    "another address",
    port({ address: "192.0.2.7" }),
    { claims: [{ protocol: "tcp", port: 9000, address: "192.0.2.8", machine: "m1", owner: "a/b" }] },
    undefined,
  ],
  ["an address of another machine", port({ address: "192.0.2.9" }), {}, "has no address 192.0.2.9"],
  ["a low port", port({ port: 25 }), {}, 'policy.host_ports = ["1024-65535","25/tcp"]'],
] as const)("%s", (_what, wanted, more, why) => {
  const found = unfitHostPorts([wanted], machine(more as Partial<MachinePorts>))?.replaceAll('", "', '","');
  if (why === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(why);
});

test("entries are ports and ranges, perhaps of one protocol; none allows nothing", () => {
  const allows = (entries: readonly string[], number: number, protocol: "tcp" | "udp" = "tcp") =>
    forbiddenHostPort([{ protocol, port: number }], { hostPorts: entries }) === undefined;
  expect(allows(["25", "8000-8010/udp"], 25, "udp")).toBe(true);
  expect(allows(["25", "8000-8010/udp"], 8010, "udp")).toBe(true);
  expect(allows(["25", "8000-8010/udp"], 8010)).toBe(false);
  expect(allows(["25", "8000-8010/udp"], 8011, "udp")).toBe(false);
  expect(allows([], 9000)).toBe(false);
});

const service = (name: string, more: string) => `
[services.${name}]
bundle = "./web"
command = ["web"]
ports = { http = 80 }
${more}
`;
const published = (name: string, more = "") => service(name, `host_ports = [{ port = 9000 }]\n${more}`);
const reasons = (outcome: Awaited<ReturnType<typeof deploy>>) =>
  outcome.kind === "refused"
    ? outcome.refusals.map(({ message }) => message).join("\n")
    : "state" in outcome
      ? outcome.state
      : "";

describe("a cluster", () => {
  test("has two instances with one port on two machines, and no more instances than machines", async () => {
    const world = await emptyWorld();
    const machines = world.memory.all.length;
    expect(await deploy(world, published("web", `replicas = ${machines}`))).toMatchObject({ state: "done" });
    const { instances } = await headOf(world);
    expect(new Set(instances.map((one) => one.machine)).size).toBe(machines);
    const more = reasons(await deploy(world, published("web", `replicas = ${machines + 1}`)));
    expect(more).toContain(`services.web: `);
    expect(more).toContain("host_ports: TCP port 9000 is taken by prod/web");
    const other = reasons(await deploy(world, published("other"), "second"));
    expect(other).toContain("services.other: fits nowhere");
    // Stays where it is, and stops first.
    const again = await deploy(world, published("web", `replicas = ${machines}\nenv = { A = "1" }`));
    expect(again).toMatchObject({ state: "done" });
    const { instances: next } = await headOf(world);
    expect(next.map((one) => one.machine)).toEqual(instances.map((one) => one.machine));
    expect(next.map(({ id }) => id)).not.toEqual(instances.map(({ id }) => id));
  });

  test("gives a route no port that is published on some machine, and the other way round", async () => {
    const world = await emptyWorld();
    await deploy(world, published("web"));
    const route = 'routes = [{ tcp = 9000, port = "http" }]';
    expect(reasons(await deploy(world, service("api", route), "second"))).toContain(
      "services.api.routes: TCP port 9000 is a host port on m1 of prod/web",
    );
    expect(reasons(await deploy(world, published("web", route), "third"))).toContain("of third/web");
    // From a host port to a route, and back, in one change.
    expect(reasons(await deploy(world, service("web", route)))).toBe("done");
    expect(reasons(await deploy(world, published("other"), "second"))).toContain("is taken by prod/web");
    expect(reasons(await deploy(world, published("web")))).toBe("done");
  });

  test("gives one of two namespaces the port when both take it at the same moment", async () => {
    const world = await emptyWorld();
    const one = 'constraints = { machines = ["m1"] }';
    const outcomes = await Promise.all([
      deploy(world, published("web", one), "first"),
      deploy(world, published("web", one), "second"),
    ]);
    const done = outcomes.filter((outcome) => outcome.kind === "operation" && outcome.state === "done");
    expect(done).toHaveLength(1);
    expect(await world.ports.store.commits.heads()).toHaveLength(1);
  });

  test("a branch has none, and a promotion leaves those of its target", async () => {
    const world = await emptyWorld();
    await deploy(world, published("web"));
    const made = await apply(world, branch, { source: "prod", target: "pr-1", volumeMode: "branch" });
    expect(made).toMatchObject({ state: "done" });
    expect(JSON.stringify(made)).toContain("web: its host ports stay with prod: TCP port 9000");
    expect((await headOf(world, "pr-1")).services.web?.spec.hostPorts).toBeUndefined();
    await apply(world, promote, { source: "pr-1", target: "prod" });
    expect((await headOf(world)).services.web?.spec.hostPorts).toHaveLength(1);
    await inspect(world);
  });
});
