import { deployPrimitive } from "../../deploy/index.ts";
import type { Outcome } from "../../engine/deps.ts";
import { runOperation } from "../../engine/run.ts";
import type { Kinds, Primitive, PrimitivePorts, Summary } from "../../engine/types.ts";
import { parseManifest } from "../../manifest/parse.ts";
import type { Manifest } from "../../manifest/schema.ts";
import type { Commit } from "../../model/commit.ts";
import type { Json } from "../../model/json.ts";
import { createMemoryCluster, type MemoryCluster, type MemoryClusterOptions } from "../memory-cluster.ts";
import type { MemoryMachines } from "../memory-machines.ts";
import type { Behaviour } from "../memory-participant.ts";

/** Machines and a store in memory, for tests of primitives that change a namespace. */
export type World = MemoryCluster & {
  readonly memory: MemoryMachines;
  /** Operations so far: ids are the same in every world that has done the same. */
  count: number;
};

const DIGEST = `sha256:${"b".repeat(64)}`;

/** An instance misbehaves when its environment says so. */
function behaviour({ env }: { readonly env: Readonly<Record<string, string>> }): Behaviour {
  const logs = ["starting", "cannot bind: address in use"];
  if (env.FAIL === "never") return { ready: "never", logs };
  if (env.FAIL === "exits") return { ready: "exits", logs };
  return env.FAIL === "job" ? { ready: "yes", exitCode: 3, logs } : { ready: "yes" };
}

export async function emptyWorld(
  machines: readonly string[] = ["m1", "m2", "m3"],
  behave: MemoryClusterOptions["behaviour"] = behaviour,
): Promise<World> {
  const cluster = await createMemoryCluster({ machines, bundles: [DIGEST], behaviour: behave });
  return { ...cluster, memory: cluster.machines, count: 0 };
}

export function manifestInput(toml: string, namespace = "prod") {
  const parsed = parseManifest(`namespace = "${namespace}"\n${toml}`, "toml");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusals));
  return { manifest: parsed.manifest, bundles: bundlesOf(parsed.manifest) };
}

/** One that every machine has, for each service and job. */
export const bundlesOf = ({ services = {}, jobs = {} }: Manifest): Readonly<Record<string, string>> =>
  Object.fromEntries([...Object.keys(services), ...Object.keys(jobs)].map((name) => [name, DIGEST]));

export async function apply<In extends Json, F, K extends Kinds, R extends Json>(
  world: World,
  primitive: Primitive<PrimitivePorts, In, F, K, R, Summary, unknown>,
  input: unknown,
  mode: "apply" | "preview" = "apply",
): Promise<Outcome> {
  world.count += 1;
  const id = `01J0000000000000AAAA${String(world.count).padStart(6, "0")}`;
  return runOperation(
    primitive,
    { input, mode },
    world.deps({ ports: world.ports, primitives: world.primitives, ids: { newOperationId: () => id } }),
  );
}

export const deploy = (world: World, toml: string, namespace = "prod"): Promise<Outcome> =>
  apply(world, deployPrimitive, manifestInput(toml, namespace));

export const headOf = (world: World, namespace = "prod"): Promise<Commit> => world.commit(namespace);

/**
 * Running and committed instances, copies of volumes and their content, without ids: two worlds in which the same was done are
 * equal. Content is compared by the services that have written, since a candidate that was undone may have written too.
 */
export async function inspect({ memory, ports }: World): Promise<Json> {
  const named = (id: string) => id.split(".").slice(0, -1).join(".");
  const heads = (await ports.store.commits.heads()).map(({ value }) => value);
  return {
    runs: memory.all
      .flatMap(({ instances }) => [...instances.values()])
      .map(({ start, state }) => `${named(start.id)} v${start.env.V ?? "0"} ${state}`)
      .sort(),
    reserved: memory.all.flatMap(({ reservations }) => [...reservations.keys()].map(named)).sort(),
    committed: heads.flatMap((commit) =>
      commit.instances.map(({ id, machine, address, volumes = {} }) => {
        const one = memory.machine(machine).instances.get(id);
        const mounted = Object.values(volumes).map(
          (volume) => memory.machine(machine).volumes.get(volume)?.state,
        );
        const matches = one?.state === "running" && one.start.address === address;
        return `${named(id)} ${matches ? "runs" : "MISSING"} ${mounted.join(" ")}`.trim();
      }),
    ),
    copies: memory.all
      .flatMap(({ id: machine, volumes }) =>
        [...volumes.values()].map((volume) => {
          const { id, state, content, snapshots } = volume;
          const current = heads.some((commit) =>
            commit.volumes.some(
              (one) => one.id === id && one.machine === machine && one.guid === volume.guid,
            ),
          );
          const writers = [...new Set(content.map(named))].join(",");
          return `${named(id)} on ${machine} ${state}${current ? " current" : ""} holds ${writers || "nothing"} with ${snapshots.size}`;
        }),
      )
      .sort(),
    removed: heads.filter(({ removed }) => removed).map(({ namespace }) => namespace),
    splits: memory.all.flatMap(({ effects }) => effects.filter((effect) => effect.startsWith("split"))),
  };
}

export const service = (name: string, v: number, more = ""): string =>
  `[services.${name}]\nbundle = "./x"\ncommand = ["x"]\nenv = { V = "${v}" }\nports = { http = 80 }\n${more}\n`;

/** A routed web service and a database with a volume. */
export const shop = (v: number): string =>
  service("web", v, 'routes = [{ host = "www.example.test" }]') +
  service("db", v, 'volumes = { data = "/data" }\nroutes = [{ host = "db.example.test" }]') +
  '[volumes.data]\nquota = "1G"\n';

export async function worldWithShop(machines?: readonly string[]): Promise<World> {
  const world = await emptyWorld(machines);
  const outcome = await deploy(world, shop(1));
  if (outcome.kind !== "operation" || outcome.state !== "done") throw new Error(JSON.stringify(outcome));
  return world;
}
