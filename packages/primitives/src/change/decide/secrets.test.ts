import { describe, expect, test } from "vitest";
import { branch } from "../../branch/index.ts";
import { deployPrimitive } from "../../deploy/index.ts";
import type { Outcome } from "../../engine/deps.ts";
import type { Instance } from "../../model/commit.ts";
import { type SecretRecord, secretKey } from "../../model/secret.ts";
import { namespaceRm } from "../../namespace-rm/index.ts";
import { promote } from "../../promote/index.ts";
import { rollback } from "../../rollback/index.ts";
import { checkPrimitive } from "../../testing/harness/check.ts";
import {
  apply,
  deploy,
  emptyWorld,
  headOf,
  inspect,
  manifestInput,
  type World,
} from "../../testing/scenarios/change.ts";
import { volumeSnapshot } from "../../volume-snapshot/index.ts";
import { secretUsers } from "./secrets.ts";

type More = { readonly private?: true; readonly users?: number };

async function set({ ports }: World, where: string, version: string, more: More = {}) {
  const [namespace = "", name = ""] = where.split("/");
  const record: SecretRecord = {
    namespace,
    name,
    version,
    at: "2026-01-01T00:00:00Z",
    by: "root@m1",
    ...more,
  };
  const before = await ports.store.facts.get(secretKey(record));
  await ports.store.facts.put(secretKey(record), record, before?.revision ?? 0);
}

const web = (v = 1, name = "db-url", more = "") =>
  `[services.web]\nbundle = "./x"\ncommand = ["x"]\nports = { http = 80 }\n${more}\nenv.V = "${v}"\nenv.DATABASE_URL = { secret = "${name}" }\n`;
const routed = `[services.web]\nbundle = "./x"\ncommand = ["x"]\nports = { http = 80 }\nroutes = [{ host = "a.test", basic_auth = { secret = "team" } }]\n`;
const data = `[services.db]\nbundle = "./x"\ncommand = ["x"]\nvolumes = { data = "/d" }\n[volumes.data]\n`;

/** The secrets that instances were started with, and those in the commit. */
async function started(world: World, namespace = "prod") {
  const { instances } = await headOf(world, namespace);
  return instances.map(({ id, service, machine, secrets }: Instance) => ({
    service,
    committed: Object.values(secrets ?? {}).map(
      ({ namespace: owner, name, version }) => `${owner}/${name}@${version}`,
    ),
    held: Object.values(world.memory.machine(machine).secrets.get(id) ?? {}),
  }));
}
const withDbUrl = (value: string) => [{ service: "web", committed: [value], held: [value] }];

const refusals = (outcome: Outcome) =>
  outcome.kind === "refused" ? outcome.refusals.map(({ code, message }) => `${code}: ${message}`) : [];
const changed = (outcome: Outcome) => outcome.kind === "operation" && outcome.changed;

test("a file's secret goes the way of a variable's, by its path, and its value is in no plan", async () => {
  const world = await emptyWorld();
  const manifest = `[services.web]\nbundle = "./x"\ncommand = ["x"]\nfiles."/run/secrets/db" = { secret = "db-url" }\nfiles."/etc/x" = "text"\n`;
  expect(refusals(await deploy(world, manifest))).toEqual([
    'secret_missing: services.web.files."/run/secrets/db": prod has no secret db-url',
  ]);
  await set(world, "prod/db-url", "v1");
  expect(changed(await deploy(world, manifest))).toBe(true);
  expect(await started(world)).toEqual(withDbUrl("prod/db-url@v1"));
  const [instance] = (await headOf(world, "prod")).instances;
  expect(Object.keys(instance?.secrets ?? {})).toEqual(["/run/secrets/db"]);
  expect(changed(await deploy(world, manifest))).toBe(false);
  const more = await deploy(world, `${manifest}files."/etc/y" = "hidden"\n`);
  expect(JSON.stringify(more)).toContain("files./etc/y");
  expect(JSON.stringify(more)).not.toContain("hidden");
  await set(world, "prod/db-url", "v2");
  expect(changed(await deploy(world, manifest))).toBe(true);
  expect(await started(world)).toEqual(withDbUrl("prod/db-url@v2"));
});

describe("a route with users", () => {
  test("is refused until its secret names users, and names no hash and no version in the commit", async () => {
    const world = await emptyWorld();
    expect(refusals(await deploy(world, routed))).toEqual([
      "secret_missing: services.web.routes: basic_auth of a.test/: prod has no secret team",
    ]);
    await set(world, "prod/team", "v1");
    const refused = await deploy(world, routed);
    expect(refusals(refused)).toEqual([
      "secret_without_users: services.web.routes: basic_auth of a.test/: secret team is no list of users",
    ]);
    expect(refused).toMatchObject({ refusals: [{ hint: expect.stringContaining("htpasswd -nB") }] });
    await set(world, "prod/team", "v2", { users: 2 });
    expect(changed(await deploy(world, routed))).toBe(true);
    const { routes } = await headOf(world);
    expect(routes).toMatchObject([{ options: { basicAuth: { secret: "team" } } }]);
    const facts = await world.ports.store.facts.list("secret");
    const secrets = facts.map(({ value, revision }) => ({ record: value, revision }));
    const commits = (await world.ports.store.commits.heads()).map(({ value }) => value);
    expect(secretUsers({ namespace: "prod", name: "team" }, commits, secrets)).toEqual(["prod/web"]);
    // A committed route does not stand in the way of the next change.
    await set(world, "prod/team", "v3");
    expect(changed(await deploy(world, `${routed}replicas = 2\n`))).toBe(true);
  });
});

describe("a service with a secret", () => {
  test("is refused until the secret is set, with the command that sets it", async () => {
    const world = await emptyWorld();
    const refused = await deploy(world, web());
    expect(refusals(refused)).toEqual([
      "secret_missing: services.web.env.DATABASE_URL: prod has no secret db-url",
    ]);
    expect(refused).toMatchObject({
      refusals: [{ hint: expect.stringContaining("ployzctl secret set prod/db-url") }],
    });
    await set(world, "prod/db-url", "v1");
    expect(changed(await deploy(world, web()))).toBe(true);
    expect(await started(world)).toEqual(withDbUrl("prod/db-url@v1"));
    const [instance] = (await headOf(world)).instances;
    const runs = world.memory.machine(instance?.machine ?? "").instances.get(instance?.id ?? "");
    expect(runs?.start.env).toEqual({ V: "1" });
  });

  test("gets another value with its next deploy, and nothing else restarts it", async () => {
    const world = await emptyWorld();
    await set(world, "prod/db-url", "v1");
    await deploy(world, web() + data);
    await set(world, "prod/db-url", "v2");
    await apply(world, volumeSnapshot, { namespace: "prod", volumes: ["data"] });
    expect(await started(world)).toContainEqual(withDbUrl("prod/db-url@v1")[0]);
    const outcome = await deploy(world, web() + data);
    expect(outcome).toMatchObject({
      output: {
        services: expect.arrayContaining([
          expect.objectContaining({ name: "web", change: "change", fields: [{ field: "secrets.db-url" }] }),
          expect.objectContaining({ name: "db", change: "unchanged" }),
        ]),
      },
    });
    expect(await started(world)).toContainEqual(withDbUrl("prod/db-url@v2")[0]);
    expect(changed(await deploy(world, web() + data))).toBe(false);
  });

  test("leaves nothing where it was removed", async () => {
    const world = await emptyWorld();
    await set(world, "prod/db-url", "v1");
    await deploy(world, web());
    const outcome = await apply(world, namespaceRm, { namespace: "prod" }, "preview");
    expect(outcome).toMatchObject({ warnings: ["its secrets stay: ployzctl secret rm prod/db-url"] });
    await apply(world, namespaceRm, { namespace: "prod" });
    expect(world.memory.all.flatMap(({ secrets }) => [...secrets.keys()])).toEqual([]);
  });

  test("is not started with a value that was replaced while it was planned", async () => {
    const world = await emptyWorld();
    await set(world, "prod/db-url", "v1");
    await deploy(world, web(1));
    const before = await inspect(world);
    const { call } = world.ports.machines;
    const machines: typeof world.ports.machines = {
      ...world.ports.machines,
      async call(machine, command, args, options) {
        if (command === "instance.reserve") await set(world, "prod/db-url", "v2");
        return call(machine, command, args, options);
      },
    };
    const racing: World = { ...world, ports: { ...world.ports, machines } };
    expect(await deploy(racing, web(2))).toMatchObject({
      state: "failed",
      error: { code: "secret_changed" },
    });
    expect(await inspect(world)).toEqual(before);
    expect(world.memory.all.flatMap(({ secrets }) => [...secrets.values()])).toHaveLength(1);
  });
});

describe("a branch", () => {
  test("has its own secret before the source's, whatever is done in it", async () => {
    const world = await emptyWorld();
    await set(world, "prod/db-url", "v1");
    await deploy(world, web(1));
    await apply(world, branch, { source: "prod", target: "pr-1" });
    expect(await started(world, "pr-1")).toEqual(withDbUrl("prod/db-url@v1"));
    await deploy(world, web(2), "pr-1");
    await apply(world, rollback, { namespace: "pr-1" });
    await set(world, "prod/db-url", "v2");
    await deploy(world, web(3), "pr-1");
    expect(await started(world, "pr-1")).toEqual(withDbUrl("prod/db-url@v2"));
    await apply(world, branch, { source: "pr-1", target: "pr-2" });
    expect(await started(world, "pr-2")).toEqual(withDbUrl("prod/db-url@v2"));
    await set(world, "pr-1/db-url", "own");
    await deploy(world, web(4), "pr-1");
    expect(await started(world, "pr-1")).toEqual(withDbUrl("pr-1/db-url@own"));
    expect(await started(world)).toEqual(withDbUrl("prod/db-url@v1"));
  });

  test("does not get private secrets", async () => {
    const world = await emptyWorld();
    await set(world, "prod/db-url", "v1", { private: true });
    await deploy(world, web());
    expect(refusals(await apply(world, branch, { source: "prod", target: "pr-1" }))).toEqual([
      "secret_missing: services.web.env.DATABASE_URL: pr-1 has no secret db-url, and prod does not give its own to branches",
    ]);
    await set(world, "pr-1/db-url", "own");
    expect(changed(await apply(world, branch, { source: "prod", target: "pr-1" }))).toBe(true);
    expect(await started(world, "pr-1")).toEqual(withDbUrl("pr-1/db-url@own"));
  });

  test("is promoted with the target's secrets", async () => {
    const world = await emptyWorld();
    await set(world, "prod/db-url", "v1");
    await deploy(world, web(1));
    await set(world, "pr-1/db-url", "own");
    await apply(world, branch, { source: "prod", target: "pr-1" });
    await deploy(world, web(2), "pr-1");
    await apply(world, promote, { source: "pr-1", target: "prod" });
    expect(await started(world)).toEqual(withDbUrl("prod/db-url@v1"));
  });

  test("counts among those that use the source's secret", async () => {
    const world = await emptyWorld();
    await set(world, "prod/db-url", "v1");
    await deploy(world, web());
    await apply(world, branch, { source: "prod", target: "pr-1" });
    const users = async () => {
      const heads = await Promise.all([headOf(world), headOf(world, "pr-1")]);
      const facts = await world.ports.store.facts.list("secret");
      const secrets = facts.map(({ value, revision }) => ({
        record: value,
        revision,
      }));
      return secretUsers({ namespace: "prod", name: "db-url" }, heads, secrets);
    };
    expect(await users()).toEqual(["pr-1/web", "prod/web"]);
    await set(world, "pr-1/db-url", "own");
    expect(await users()).toEqual(["prod/web"]);
  });
});

test("under every fault: done, or as it was, and no value is left behind", { timeout: 120_000 }, async () => {
  const world = async () => {
    const made = await emptyWorld(["m1", "m2"]);
    await set(made, "prod/db-url", "v1");
    await deploy(made, web(1, "db-url", 'update = "stop-first"'));
    await set(made, "prod/db-url", "v2");
    return made;
  };
  const input = manifestInput(web(2, "db-url", 'update = "stop-first"'));
  const withValues = async (one: World) => ({
    state: await inspect(one),
    values: one.memory.all.flatMap(({ secrets }) => [...secrets.values()]),
  });
  const found = await checkPrimitive(
    { primitive: deployPrimitive, input, world, inspect: withValues },
    { every: 5 },
  );
  expect(found).toEqual([]);
});
