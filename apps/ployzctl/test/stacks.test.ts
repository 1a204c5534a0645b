import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorBody } from "@ployz/errors";
import { deployPrimitive } from "@ployz/primitives";
import { createMemoryCluster } from "@ployz/primitives/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { interpolate } from "../src/manifest/interpolate.ts";
import { loadManifest } from "../src/manifest/load.ts";
import { DEPLOYED } from "./stacks/deployed.ts";
import { REFUSED } from "./stacks/refused.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stacks-"));
  return () => rm(dir, { recursive: true });
});
async function load(text: string, files: Readonly<Record<string, string>> = {}, variables?: string) {
  const all = { ...files, "compose.yaml": text, ...(variables !== undefined && { vars: variables }) };
  for (const [name, content] of Object.entries(all)) await writeFile(join(dir, name), content);
  return loadManifest({ terminal: { cwd: dir } } as Parameters<typeof loadManifest>[0], {
    ...{ files: ["compose.yaml"], settings: [], envFiles: variables === undefined ? [] : ["vars"] },
  });
}
const messages = async (...given: Parameters<typeof load>): Promise<readonly string[]> => {
  const loaded = await load(...given).catch((error: unknown) => ({
    ok: false as const,
    refusals: [errorBody(error)],
  }));
  return loaded.ok ? [] : loaded.refusals.map(({ message }) => message);
};
async function manifestOf(...given: Parameters<typeof load>) {
  const loaded = await load(...given);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.refusals));
  return loaded.manifest;
}

it.each([...DEPLOYED, ...REFUSED])("$name", async ({ text, files, variables, starts, refused = [] }) => {
  if (starts === undefined) {
    const said = await messages(text, files, variables);
    expect(said.length).toBe(refused.length);
    for (const [index, one] of refused.entries()) expect(said[index]).toContain(one);
    return;
  }
  const manifest = await manifestOf(text, files, variables);
  const built = `built@sha256:${"b".repeat(64)}`;
  const workloads = { ...manifest.services, ...manifest.jobs };
  const cluster = await createMemoryCluster({
    images: [built, ...Object.values(workloads).flatMap(({ image }) => image ?? [])],
    machines: ["m1", "m2"],
  });
  const withImages = <T extends { readonly build?: unknown }>(table: Readonly<Record<string, T>> = {}) =>
    Object.fromEntries(
      Object.entries(table).map(([name, { build, ...spec }]) => [
        name,
        { ...spec, ...(build !== undefined && { image: built }) },
      ]),
    );
  const whole = { ...manifest, services: withImages(manifest.services), jobs: withImages(manifest.jobs) };
  for (const name of ["admin", "kc-db"])
    await cluster.ports.store.facts.put(
      `secret.${manifest.namespace}.${name}`,
      { ...{ namespace: manifest.namespace, name, version: "1", at: "2026-01-01T00:00:00.000Z", by: "x" } },
      0,
    );
  const done = await cluster.run(deployPrimitive, { input: { manifest: whole }, mode: "apply" });
  expect(done).toMatchObject({ state: "done" });
  const { instances, jobs } = await cluster.commit(manifest.namespace);
  expect([...instances.map(({ service }) => service), ...Object.keys(jobs)].sort()).toEqual(starts);
});

describe("nothing of it is changed or ignored in silence:", () => {
  const web = (lines: string) => `name: a\nservices:\n  web:\n    image: nginx\n    ${lines}\n`;
  it.each([
    ["stop_grace_period: 30", "compose.yaml:5: services.web.stop_grace_period"],
    ['stop_grace_period: "30"', "compose.yaml:5: services.web.stop_grace_period: 30 is not a duration"],
    [
      'healthcheck: { test: "true", interval: "5" }',
      "services.web.healthcheck.interval: 5 is not a duration",
    ],
    ["entrypoint: []", "compose.yaml:5: services.web.entrypoint: is empty"],
    ['command: ""', "compose.yaml:5: services.web.command: is empty"],
    ["build: { context: ., args: { V: } }", "services.web.build.args.V: V has no value"],
    ["build: { context: ., args: [V] }", "services.web.build.args[0]: V has no value"],
    ['extra_hosts: ["a:10.0.0.1", "a:10.0.0.2"]', "services.web.extra_hosts[1]: a has several values"],
    ['volumes: ["v:/a:rw:nocopy"]', "services.web.volumes[0].nocopy: is not supported"],
    ['volumes: ["./a.cf:/etc/a.cf:ro,shared"]', "services.web.volumes[0]: shared is not supported"],
    ['tmpfs: ["/a:size=x"]', "services.web.tmpfs[0]: x is not a size"],
    ["pids_limit: -1", "services.web.pids_limit: -1, no limit, is not supported"],
    ["x-ployz: [a]", "compose.yaml:5: services.web.x-ployz: is not a map"],
    ["expose: !resets []", "compose.yaml:5: Unresolved tag: !resets"],
    ["expose: [!reset 1]", "compose.yaml:5: !reset and !override stand for the value of a key"],
    ["x-a: &a { expose: !reset [] }", "compose.yaml:5: !reset and !override stand for the value of a key"],
    ["environment: { __proto__: x }", "services.web.env.__proto__"],
    ["user: -1", "compose.yaml:5: services.web.user"],
    ["deploy: { replicas: 2000 }", "compose.yaml:5: services.web.replicas"],
  ])("%s", async (line, message) => {
    expect((await messages(web(line))).join("\n")).toContain(message);
  });

  it("a number stays as it is written", async () => {
    const text = web(
      "environment: { A: 022, B: 1.10, C: 12345678901234567890, D: 0x1F, E: 1e3, F: 7, G: .inf }",
    );
    expect((await manifestOf(`${text}    cpus: 0.50\n    command: [x, 010]\n`)).services?.web).toMatchObject({
      env: { A: "022", B: "1.10", C: "12345678901234567890", D: "0x1F", E: "1e3", F: "7", G: ".inf" },
      ...{ command: ["x", "010"], resources: { cpus: 0.5 } },
    });
  });

  it("x-ployz of the file has fields of the manifest", async () => {
    const text = `${web("init_: 1").replace("    init_: 1\n", "")}x-ployz: { allow_routes_from: [b] }\n`;
    expect(await manifestOf(text)).toMatchObject({ namespace: "a", allow_routes_from: ["b"] });
  });

  it("a variable may stand for a number", async () => {
    const text = web('deploy: { replicas: "${N}" }\n    read_only: ${RO:-true}');
    expect((await manifestOf(text, {}, "N=3\n")).services?.web).toMatchObject({
      replicas: 3,
      read_only: true,
    });
  });
});

describe("variables", () => {
  const missing = (name: string, message = "has no value"): never => {
    throw new Error(`${name} ${message}`);
  };
  const value = (text: string) => interpolate(text, { A: "1", EMPTY: "" }, missing);

  it.each([
    ["${A}-$A-$$A-$1-$", "1-1-$A-$1-$"],
    ["${A:-${B}}/x", "1/x"],
    ["${B:-${C:-{d}}}", "{d}"],
    ["${B-${A}}${EMPTY-x}${EMPTY:-y}", "1y"],
    ["${A:+on}${B:+off}${EMPTY+set}${EMPTY:+unset}", "onset"],
    ["${B:-$$}", "$"],
    ["${B:-}", ""],
  ])("%s is %s", (text, right) => expect(value(text)).toBe(right));

  it.each([
    ["${B}", "B has no value"],
    ["${B:?name it}", "B name it"],
    ["${A:-${B}", "is not ${NAME}"],
    ["${", "is not ${NAME}"],
    ["${A b}", "is not ${NAME}"],
    ["${A:=1}", "is not ${NAME}"],
    [`${"${B:-".repeat(10_000)}x${"}".repeat(10_000)}`, "is not ${NAME}"],
  ])("%s is refused", (text, message) => expect(() => value(text)).toThrow(message));
});
