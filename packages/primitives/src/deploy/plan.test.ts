import fc from "fast-check";
import { expect, test } from "vitest";
import type { MachineFact } from "../change/observe/facts.ts";
import type { ChangeSummary } from "../change/plan/summary.ts";
import type { PlannedStep } from "../engine/types.ts";
import { allNeeds } from "../engine/view.ts";
import { parseManifest } from "../manifest/parse.ts";
import type { Commit } from "../model/commit.ts";
import type { MachineObservation } from "../model/observation.ts";
import { planned, refusalsOf } from "../testing/planned.ts";
import { contentOf, type DeployFacts, deployPrimitive } from "./index.ts";
import type { DeployInput } from "./input.ts";

const plan = (asked: DeployInput, facts: DeployFacts, operation: string) =>
  planned(deployPrimitive.plan(asked, facts, operation));
const refuse = (asked: DeployInput, facts: DeployFacts) =>
  refusalsOf(deployPrimitive.plan(asked, facts, OP[1]));

const OP = [
  "01J0000000000000000AAAA001",
  "01J0000000000000000AAAA002",
  "01J0000000000000000AAAA003",
] as const;

/** A world of facts: machines that run what the last commit names, unless said otherwise. */
type World = {
  readonly machines: readonly string[];
  readonly head?: { readonly commit: Commit; readonly revision: number };
  readonly others?: readonly Commit[];
  /** Ids of instances that do not run. */
  readonly dead?: readonly string[];
  readonly unreachable?: readonly string[];
  readonly draining?: readonly string[];
  readonly digests?: Readonly<Record<string, string>>;
};

function input(toml: string): DeployInput {
  const parsed = parseManifest(`namespace = "prod"\n${toml}`, "toml");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusals));
  return { manifest: parsed.manifest, bundles: {} };
}

function factsOf(world: World): DeployFacts {
  const { head, dead = [], unreachable = [], draining = [] } = world;
  const machines = world.machines.map((id, index): MachineFact => {
    const record: MachineFact["record"] = {
      id,
      index: index + 1,
      state: "active",
      publicKey: "",
      endpoints: [],
      nkey: "",
      address: `10.101.${index + 1}.1`,
      subnet: `10.101.${index + 1}.0/24`,
      store: false,
      runtime: "docker",
      version: "0",
      operation: "",
    };
    const error = { code: "machine_unreachable", message: "no answer" };
    if (unreachable.includes(id)) return { record, revision: 1, error };
    const instances = (head?.commit.instances ?? []).filter(
      (one) => one.machine === id && !dead.includes(one.id),
    );
    const observation: MachineObservation = {
      machine: id,
      version: "0",
      runtime: "docker",
      runtimeVersion: "0",
      arch: "x64",
      cpus: 4,
      memoryBytes: 2 ** 33,
      memoryFreeBytes: 2 ** 33,
      diskFreeBytes: 2 ** 33,
      draining: draining.includes(id),
      volumes: [],
      load1: 0,
      instances: instances.map((one) => ({
        ...one,
        namespace: "prod",
        kind: "service",
        operation: "",
        state: "running",
      })),
      problems: [],
    };
    return { record, revision: 1, observation };
  });
  const answering = world.machines.filter((id) => !unreachable.includes(id));
  const images = new Map(
    Object.entries(world.digests ?? { app: "sha256:app", two: "sha256:two" }).map(([ref, digest]) => [
      ref,
      { digest, holders: answering.slice(0, 1), tried: [] },
    ]),
  );
  return {
    ...(head && { head }),
    others: (world.others ?? []).map((commit) => ({ commit, revision: 1 })),
    machines,
    ...{ images, repositories: [] },
    content: contentOf(images, new Map()),
    secrets: [],
    candidates: 0,
    certificates: [],
  };
}

const summaryOf = (made: { readonly summary: unknown }) => made.summary as ChangeSummary;

/** The namespace's state after the plan. */
function after(toml: string, world: World, operation: string): Required<Pick<World, "head">> & World {
  const facts = factsOf(world);
  const made = plan(input(toml), facts, operation);
  const point = deployPrimitive.commit(input(toml), facts, made, {
    operation,
    at: "",
    by: "",
    output: (step) => ({ address: `10.0.0.${step.length}` }),
  });
  if (point.kind !== "namespace") throw new Error("not a namespace commit");
  const revision = point.expected + 1;
  return { ...world, dead: [], head: { commit: point.commit as unknown as Commit, revision } };
}

const WEB = '[services.web]\nimage = "app"\nreplicas = 3\nports = { http = 80 }\n';
const base: World = { machines: ["m1", "m2", "m3"] };

function stepsOf(toml: string, world: World, operation: string = OP[1]) {
  const made = plan(input(toml), factsOf(world), operation);
  return {
    made,
    prepare: made.prepare.map(({ id }) => id),
    settle: made.settle.map(({ id }) => id),
    /** Everything that comes before it. */
    needs: (id: string) => {
      const step = made.prepare.find((one) => one.id === id);
      return step ? [...allNeeds(made.prepare as readonly PlannedStep[], step as PlannedStep)] : [];
    },
  };
}

test("a first deploy: images everywhere, then each instance, then routes", () => {
  const { prepare, settle, needs, made } = stepsOf(WEB, base, OP[0]);
  expect(prepare).toEqual([
    "image app@m1",
    "image app@m2",
    "image app@m3",
    ...[1, 2, 3].map((n) => `reserve web.${n}@m${n}`),
    "announce candidates",
    ...[1, 2, 3].flatMap((n) => [`start web.${n}@m${n}`, `ready web.${n}@m${n}`]),
    "verify candidates", // the first may have ended while the last became ready
  ]);
  expect(needs("verify candidates")).toEqual(
    expect.arrayContaining([1, 2, 3].map((n) => `ready web.${n}@m${n}`)),
  );
  expect(needs("start web.1@m1")).toEqual(
    expect.arrayContaining(["image app@m1", "image app@m2", "image app@m3"]),
  );
  expect(settle).toEqual(["publish@m1", "publish@m2", "publish@m3", "withdraw candidates"]);
  expect(summaryOf(made).next.start[0]?.id).toBe(
    "prod.web.1.aaaaa001".replace("aaaaa001", OP[0].slice(-8).toLowerCase()),
  );
});

test("the same manifest again: nothing to do, and it says so", () => {
  const { made } = stepsOf(WEB, after(WEB, base, OP[0]));
  expect(made).toMatchObject({ changes: false, prepare: [], settle: [] });
  expect(summaryOf(made).services).toMatchObject([{ name: "web", change: "unchanged" }]);
});

test("a new image replaces each instance where it is, and drains the old after the routes flipped", () => {
  const world = after(WEB, base, OP[0]);
  const { prepare, made } = stepsOf(WEB.replace("app", "two"), world);
  expect(prepare.filter((id) => id.startsWith("start"))).toEqual([
    "start web.1@m1",
    "start web.2@m2",
    "start web.3@m3",
  ]);
  const retire = made.settle.filter(({ kind }) => kind === "retire");
  expect(retire.map(({ machine }) => machine)).toEqual(["m1", "m2", "m3"]);
  expect(retire[0]?.needs).toEqual(["publish@m1", "publish@m2", "publish@m3"]);
  expect(summaryOf(made).services[0]?.fields.map(({ field }) => field)).toEqual([
    "image.digest",
    "image.ref",
  ]);
});

test("a tag that moved is a change, though the manifest is the same", () => {
  const world = { ...after(WEB, base, OP[0]), digests: { app: "sha256:other" } };
  expect(stepsOf(WEB, world).prepare).toContain("start web.1@m1");
});

test("a route or drain alone restarts nothing, and is committed", () => {
  const { made } = stepsOf(`${WEB}drain = "1s"\nroutes = [{ host = "a.b" }]`, after(WEB, base, OP[0]));
  expect(made).toMatchObject({ changes: true, prepare: [] });
  expect(made.settle.map(({ kind }) => kind)).toEqual(["publish", "publish", "publish"]);
  expect(summaryOf(made).routes.added).toMatchObject([{ host: "a.b", service: "web" }]);
});

test("scaling down takes the highest slots; scaling up fills the gaps", () => {
  const world = after(WEB, base, OP[0]);
  const down = stepsOf(WEB.replace("3", "1"), world);
  expect(down.prepare).toEqual([]);
  expect(down.settle.filter((id) => id.startsWith("retire")).length).toBe(2);
  const up = stepsOf(WEB.replace("3", "4"), world);
  expect(up.prepare.filter((id) => id.startsWith("start"))).toEqual(["start web.4@m1"]);
});

test("a dead instance is replaced; one on a machine that does not answer is left alone", () => {
  const world = after(WEB, base, OP[0]);
  const [first = ""] = world.head.commit.instances.map(({ id }) => id);
  const repaired = stepsOf(WEB, { ...world, dead: [first] });
  expect(repaired.prepare.filter((id) => id.startsWith("start"))).toEqual(["start web.1@m1"]);
  expect(repaired.settle).toContain(`remove ${first}`);
  expect(summaryOf(repaired.made).services[0]).toMatchObject({ change: "repair", fields: [] });
  const away = stepsOf(WEB, { ...world, unreachable: ["m2"] });
  expect(away.made).toMatchObject({ changes: false });
  expect(away.made.warnings.join()).toContain("machine m2 does not answer");
});

test("a changed instance on a machine that does not answer moves, with a warning instead of a step that must fail", () => {
  const world = { ...after(WEB, base, OP[0]), unreachable: ["m2"] };
  const { prepare, settle, made } = stepsOf(WEB.replace("app", "two"), world);
  expect(prepare.filter((id) => id.startsWith("start")).every((id) => !id.endsWith("@m2"))).toBe(true);
  expect([...prepare, ...settle].some((id) => id.endsWith("@m2"))).toBe(false);
  expect(made.warnings.join()).toContain("prod.web.2");
});

test("every machine: a new machine gets one, the others keep theirs", () => {
  const toml = '[services.agent]\nimage = "app"\nplacement = "every-machine"';
  const world = after(toml, { machines: ["m1", "m3"] }, OP[0]);
  const { prepare } = stepsOf(toml, { ...world, machines: ["m1", "m2", "m3"] });
  expect(prepare.filter((id) => id.startsWith("start"))).toEqual(["start agent.3@m2"]);
});

test("a removed service goes, with its routes", () => {
  const world = after(`${WEB}routes = [{ host = "a.b" }]\n[services.api]\nimage = "two"`, base, OP[0]);
  const { settle, made } = stepsOf('[services.api]\nimage = "two"', world);
  expect(settle.filter((id) => id.startsWith("retire")).length).toBe(3);
  expect(summaryOf(made)).toMatchObject({ routes: { removed: [{ host: "a.b" }] } });
  expect(summaryOf(made).services).toMatchObject([
    { name: "api", change: "unchanged" },
    { name: "web", change: "remove" },
  ]);
});

const JOB =
  '[jobs.migrate]\nimage = "app"\n[services.web]\nimage = "app"\nafter = ["migrate"]\n[services.cache]\nimage = "two"\n';

test("a job runs before its dependants, and is removed after the commit", () => {
  const { needs, settle, prepare } = stepsOf(JOB, base, OP[0]);
  const job = prepare.find((id) => id.startsWith("run migrate")) ?? "";
  const web = prepare.find((id) => id.startsWith("start web")) ?? "";
  const cache = prepare.find((id) => id.startsWith("start cache")) ?? "";
  expect(needs(web)).toContain(job);
  expect(needs(cache)).not.toContain(job);
  expect(settle.some((id) => id.startsWith("remove prod.migrate.1"))).toBe(true);
});

test.each([
  ["nothing", JOB, false],
  ["a service that does not come after it", JOB.replace('"two"', '"two"\nenv = { A = "1" }'), false],
  ["the number of instances", JOB.replace("after =", "replicas = 2\nafter ="), false],
  ["a service that comes after it", JOB.replace("after =", 'env = { A = "1" }\nafter ='), true],
  ["the job itself", JOB.replace("[services.web]", 'command = ["x"]\n[services.web]'), true],
])("a change of %s: does the job run again?", (_what, toml, runs) => {
  const { prepare } = stepsOf(toml, after(JOB, base, OP[0]));
  expect(prepare.some((id) => id.startsWith("run migrate"))).toBe(runs);
});

test("an unchanged service passes the order on: c waits for a through an untouched b", () => {
  const chain = (a: string, c: string) =>
    `[services.a]\nimage = "${a}"\n[services.b]\nimage = "app"\nafter = ["a"]\n[services.c]\nimage = "${c}"\nafter = ["b"]`;
  const { needs, prepare } = stepsOf(chain("two", "two"), after(chain("app", "app"), base, OP[0]));
  expect(prepare.some((id) => id.startsWith("start b"))).toBe(false);
  expect(needs(prepare.find((id) => id.startsWith("start c")) ?? "")).toContain(
    prepare.find((id) => id.startsWith("ready a")),
  );
});

test("stop-first: the outage begins when all else is ready", () => {
  const toml = (image: string) =>
    `[services.db]\nimage = "${image}"\nupdate = "stop-first"\n[services.web]\nimage = "${image}"\n[services.late]\nimage = "${image}"\nafter = ["db"]`;
  const world = after(toml("app"), base, OP[0]);
  const { prepare, needs, made } = stepsOf(toml("two"), world);
  const at = (prefix: string) => prepare.find((id) => id.startsWith(prefix)) ?? "";
  expect(needs(at("stop prod.db.1"))).toEqual(expect.arrayContaining([at("reserve db"), at("ready web")]));
  expect(needs(at("start db"))).toContain(at("stop prod.db.1"));
  expect(needs(at("start late"))).toContain(at("ready db"));
  const old = world.head.commit.instances.find(({ service }) => service === "db")?.id;
  expect(made.settle.find(({ id }) => id === `remove ${old}`)).toBeDefined();
  const away = {
    ...world,
    unreachable: [world.head.commit.instances.find(({ service }) => service === "db")?.machine ?? ""],
  };
  expect(refuse(input(toml("two")), factsOf(away))).toMatchObject([{ code: "machine_unreachable" }]);
});

test("leftovers of dead operations are removed", () => {
  const world = after(WEB, base, OP[0]);
  const facts = factsOf(world);
  const stray = { ...facts.machines[0]?.observation?.instances[0], id: "prod.web.1.stray000" };
  const machines = facts.machines.map((machine, index) =>
    index === 0 && machine.observation
      ? {
          ...machine,
          observation: {
            ...machine.observation,
            instances: [...machine.observation.instances, stray as never],
          },
        }
      : machine,
  );
  const made = plan(input(WEB), { ...facts, machines }, OP[1]);
  expect(made.settle.map(({ id }) => id)).toContain("remove prod.web.1.stray000");
});

test.each([
  ["no_machine_fits", '[services.web]\nimage = "app"\nconstraints = { region = "eu" }', {}],
  ["machine_unknown", '[services.web]\nimage = "app"\nconstraints = { machines = ["m1", "m9"] }', {}],
  ["image_missing", '[services.web]\nimage = "nowhere"', {}],
  ["no_machine_fits", '[services.web]\nimage = "app"\nvolumes = { d = "/d" }\n[volumes.d]', {}],
  [
    "route_taken",
    `${WEB}routes = [{ host = "a.b", path = "/x/" }]`,
    { routes: [{ kind: "http", host: "a.b", path: "/x", port: "http", service: "site" }] },
  ],
  [
    "route_taken",
    `${WEB}routes = [{ tcp = 9000 }]`,
    { routes: [{ kind: "tcp", listen: 9000, port: "x", service: "site" }] },
  ],
  ["no_machine_fits", WEB, { draining: ["m1", "m2", "m3"] }],
  [
    "no_machine_fits",
    `${WEB}resources = { memory = "5G" }\n[services.b]\nimage = "app"\nresources = { memory = "5G" }`,
    {},
  ],
])("%s", (code, toml, more: Partial<World> & { readonly routes?: readonly unknown[] }) => {
  const other = {
    namespace: "shop",
    services: {},
    instances: [],
    routes: more.routes ?? [],
  } as unknown as Commit;
  const refusals = refuse(input(toml), factsOf({ ...base, ...more, others: [other] }));
  expect(refusals.map((refusal) => refusal.code)).toEqual([code]);
  expect(refusals[0]?.hint).toBeTruthy();
  if (code === "route_taken") expect(refusals[0]?.message).toContain("shop/site");
});

test("a route keeps the operation that took its host; consent alone is a change", () => {
  const routed = (more: string) => `${more}${WEB}routes = [{ host = "a.b" }, { host = "a.b", path = "/x" }]`;
  const first = after(routed(""), base, OP[0]);
  expect(first.head.commit.routes.map((route) => route.since)).toEqual([OP[0], OP[0]]);
  const more = routed("").replace('path = "/x" }', 'path = "/y" }, { host = "c.d" }');
  const next = summaryOf(plan(input(more), factsOf(first), OP[1])).next.routes;
  expect(next.map((route) => route.since)).toEqual([OP[0], OP[0], OP[1]]);
  expect(plan(input(routed("")), factsOf(first), OP[1]).changes).toBe(false);
  const consenting = plan(input(routed('allow_routes_from = ["shop"]\n')), factsOf(first), OP[1]);
  expect(consenting.changes).toBe(true);
  expect(summaryOf(consenting).next.allowRoutesFrom).toEqual(["shop"]);
});

const anyService = fc.record({
  image: fc.constantFrom("app", "two"),
  replicas: fc.integer({ min: 0, max: 4 }),
  env: fc.constantFrom("1", "2"),
  drain: fc.constantFrom("1s", "2s"),
  update: fc.constantFrom("start-first", "stop-first"),
});
const anyManifest = fc
  .dictionary(fc.constantFrom("a", "b", "c"), anyService, { minKeys: 1 })
  .map((services) =>
    Object.entries(services)
      .map(
        ([name, s]) =>
          `[services.${name}]\nimage = "${s.image}"\nreplicas = ${s.replicas}\nenv = { E = "${s.env}" }\ndrain = "${s.drain}"\nupdate = "${s.update}"`,
      )
      .join("\n"),
  );

test("over any history: unchanged instances stay, plans are deterministic and closed, every candidate can be undone", () => {
  fc.assert(
    fc.property(anyManifest, anyManifest, (first, second) => {
      const world = after(first, base, OP[0]);
      const facts = factsOf(world);
      const made = plan(input(second), facts, OP[1]);
      expect(plan(input(second), facts, OP[1])).toEqual(made);

      const ids = [...made.prepare, ...made.settle].map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const before = new Set<string>();
      for (const { id, needs } of made.prepare) {
        for (const need of needs) expect(before).toContain(need);
        before.add(id);
      }
      for (const { kind, args } of made.prepare) {
        if (kind === "start") expect(deployPrimitive.steps.start.undo).toBeDefined();
        if (kind === "start") expect(ids).toContain(args.reserve);
        if (kind === "stop") expect(deployPrimitive.steps.stop.undo).toBeDefined();
      }

      const next = after(second, world, OP[1]).head.commit;
      const had = new Map(world.head.commit.instances.map((one) => [one.id, one]));
      for (const { name, spec } of Object.entries(next.services).map(([name, { spec }]) => ({
        name,
        spec,
      }))) {
        const instances = next.instances.filter(({ service }) => service === name);
        const count = spec.placement.kind === "replicas" ? spec.placement.count : -1;
        expect(instances.map(({ slot }) => slot)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
        const was = world.head.commit.services[name]?.spec;
        const same = was && was.image?.ref === spec.image?.ref && was.env.E === spec.env.E;
        const stayed = instances.filter(({ id }) => had.has(id));
        const old = [...had.values()].filter(({ service }) => service === name).length;
        expect(stayed.length).toBe(same ? Math.min(old, count) : 0);
        for (const one of stayed) expect(one).toEqual(had.get(one.id));
      }
      // Carried out, the same manifest asks for nothing more.
      expect(plan(input(second), factsOf(after(second, world, OP[1])), OP[2]).changes).toBe(false);
    }),
    { numRuns: 100 },
  );
});
