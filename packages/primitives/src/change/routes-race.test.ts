import { expect, test } from "vitest";
import { deploy, emptyWorld, type World } from "../testing/scenarios/change.ts";

const routed = (route: string, extra = "") => `${extra}
[services.web]
bundle = "./web"
command = ["web"]
ports = { p = 80 }
routes = [{ ${route}, port = "p" }]
`;
const committed = async (world: World): Promise<readonly string[]> =>
  (await world.ports.store.commits.heads()).map(({ value }) => value.namespace);

/** One host or port is taken under a lease of its own from the beginning: two operations never have both. */
test.each([
  ["a wildcard and its child", 'host = "*.example.test"', 'host = "a.example.test"'],
  ["a child and its wildcard", 'host = "a.example.test"', 'host = "*.example.test"'],
])(
  "of two namespaces that take %s at the same moment, one gets it and the other is undone",
  async (_what, one, other) => {
    const world = await emptyWorld();
    const outcomes = await Promise.all([
      deploy(world, routed(one), "first"),
      deploy(world, routed(other), "second"),
    ]);
    const failed = outcomes.filter((outcome) => outcome.kind === "operation" && outcome.state === "failed");
    expect(failed).toMatchObject([{ changed: false, error: { code: "route_taken" } }]);
    expect(await committed(world)).toHaveLength(1);
    const left = world.memory.all.flatMap(({ instances }) => [...instances.keys()]);
    expect(left).toHaveLength(1);
    expect(left[0]?.split(".")[0]).toBe((await committed(world))[0]);
    expect(await world.ports.store.leases.list()).toEqual([]);
  },
);

test("hosts beside each other are both committed, and so are those that their owner allows", async () => {
  const world = await emptyWorld();
  await Promise.all([
    deploy(world, routed('host = "a.example.test"'), "first"),
    deploy(world, routed('host = "b.example.test"'), "second"),
    deploy(world, routed('host = "*.shared.test"', 'allow_routes_from = ["fourth"]'), "third"),
    deploy(world, routed('host = "a.shared.test"', 'allow_routes_from = ["third"]'), "fourth"),
  ]);
  expect(await committed(world)).toEqual(["first", "fourth", "second", "third"]);
});
