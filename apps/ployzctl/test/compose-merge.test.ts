import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseManifest } from "@ployz/primitives";
import { beforeEach, describe, expect, it } from "vitest";
import { loadManifest } from "../src/manifest/load.ts";
import { ctl } from "./run.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "compose-merge-"));
  return () => rm(dir, { recursive: true });
});
const put = (name: string, text: string) => writeFile(join(dir, name), text);
async function merge(...texts: readonly string[]) {
  const files = texts.map((_, index) => `compose.${index}.yaml`);
  for (const [index, text] of texts.entries()) await put(files[index] ?? "", text);
  const argv = ["compose", "convert", ...files.flatMap((file) => ["-f", file])];
  const { code, out, err } = await ctl(argv, { cwd: dir });
  if (code !== 0) throw new Error(err);
  const parsed = parseManifest(out, "toml");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusals));
  return parsed.manifest;
}
const service = (lines: string) => `services:\n  web:\n    ${lines}\n`;
const named = (lines: string) => `name: a\n${service(`image: nginx\n    ${lines}`)}`;

describe("a Compose file over another one", () => {
  it("is merged as `docker compose` merges it", async () => {
    await put("a.env", "A=1\nB=1\n");
    await put("b.env", "B=2\n");
    const manifest = await merge(
      `
name: shop
services:
  web:
    image: nginx:1
    command: [serve, --debug]
    environment: [A=1, B=1]
    env_file: a.env
    ports: ["8080:80", "5353:53/udp"]
    expose: ["9000"]
    volumes: ["data:/data", "logs:/logs"]
    depends_on: [db]
    healthcheck: { test: [CMD, check], interval: 5s }
    cap_drop: [CHOWN]
    tmpfs: /run
    ulimits: { nofile: { soft: 10, hard: 20 } }
    extra_hosts: ["one:10.0.0.1"]
    stop_grace_period: 10s
  db: { image: "postgres:16" }
volumes: { data: {}, logs: {} }
`,
      `
services:
  web:
    image: nginx:2
    command: serve
    environment: { B: 2, C: 3 }
    env_file: [b.env]
    ports: ["9090:90", { target: 80, published: 8080, mode: host }]
    expose: ["9000", "9001"]
    volumes: ["other:/data"]
    depends_on: { cache: { condition: service_healthy } }
    healthcheck: { test: [CMD, other] }
    cap_drop: [CHOWN, KILL]
    tmpfs: ["/run:size=1m", "/cache:size=2m"]
    ulimits: { nofile: 30 }
    extra_hosts: { one: 10.0.0.1, two: 10.0.0.2 }
    stop_grace_period:
  cache: { image: "redis:7" }
volumes: { other: { x-ployz: { quota: 1G } } }
`,
    );
    expect(Object.keys(manifest.services ?? {})).toEqual(["web", "db", "cache"]);
    expect(manifest.volumes).toMatchObject({ other: { quota: "1G" } });
    expect(manifest.services?.web).toMatchObject({
      ...{ image: "nginx:2", command: ["serve"], env: { A: "1", B: "2", C: "3" } },
      ports: { p80: 80, p53: 53, p90: 90, p9000: 9000, p9001: 9001 },
      routes: [
        { udp: 5353, port: "p53" },
        { tcp: 9090, port: "p90" },
      ],
      host_ports: [{ port: 8080, to: "p80" }],
      ...{ volumes: { other: "/data", logs: "/logs" }, after: ["db", "cache"] },
      ...{ ready: { exec: ["other"] }, cap_drop: ["CHOWN", "KILL"], ulimits: { nofile: 30 } },
      ...{ tmpfs: { "/run": "1M", "/cache": "2M" }, stop_grace: "10s" },
      extra_hosts: { one: "10.0.0.1", two: "10.0.0.2" },
    });
  });

  it("removes with !reset and replaces with !override", async () => {
    const base = named(
      'ports: ["8080:80"]\n    environment: { A: 1, B: 2 }\n    command: a\n    expose: ["1", "2"]',
    );
    const over = service(
      'ports: !reset null\n    environment: !override { C: 3 }\n    command: !override b\n    expose: !override ["3"]',
    );
    expect((await merge(base, over)).services).toEqual({
      web: { image: "nginx", env: { C: "3" }, command: ["b"], ports: { p3: 3 } },
    });
    expect((await merge(base, service("environment: { A: !reset null }"))).services?.web?.env).toEqual({
      B: "2",
    });
    expect((await merge(base, "services: { web: !reset {}, other: { image: x } }")).services).toEqual({
      other: { image: "x" },
    });
  });

  it("replaces lists of x-ployz, as a manifest does", async () => {
    const base = named("x-ployz: { allow_from: [b], constraints: { region: eu } }");
    const { services } = await merge(base, service("x-ployz: { allow_from: [c], constraints: { az: x } }"));
    expect(services?.web).toMatchObject({
      ...{ allow_from: ["c"], constraints: { region: "eu", az: "x" } },
    });
  });

  it("has its files beside the first one", async () => {
    await put("app.conf", "x\n");
    const over = `configs: { conf: { file: ./app.conf } }\n${service("configs: [conf]")}`;
    expect((await merge(named("init: true"), over)).services?.web?.files).toEqual({
      "/conf": { text: "x\n" },
    });
  });

  it.each([
    ["ports: [8080x]", "compose.1.yaml:3: services.web.ports[0]: is not a port mapping"],
    ["privileged: true", "compose.1.yaml:3: services.web.privileged: is not supported"],
    ["environment: [A]", "compose.1.yaml:3: services.web.environment[0]: A has no value"],
    ["ports: { a: 1 }", "compose.1.yaml:3: services.web.ports: is a map, and a list in an earlier file"],
    ["image: ${TAG}", 'compose.1.yaml:3: services.web.image: "${TAG}" has a variable'],
    ['extra_hosts: ["a:10.0.0.2"]', "compose.1.yaml:3: services.web.extra_hosts[0]: a has several values"],
    ["x-ployz: { replicas: 2000 }", "compose.1.yaml:2: services.web.replicas: must be at most 1000"],
  ])("%s is refused with its own file and line", async (line, message) => {
    const base = named('ports: ["7:70"]\n    environment: { A: 1 }\n    extra_hosts: ["a:10.0.0.1"]');
    await put("compose.0.yaml", base);
    await put("compose.1.yaml", service(line));
    const given = ["-f", "compose.0.yaml", "-f", "compose.1.yaml"];
    const { code, out } = await ctl(["compose", "convert", ...given, "--json"], { cwd: dir });
    expect(code).toBe(2);
    const { refusals } = JSON.parse(out) as { refusals: readonly { message: string }[] };
    expect(refusals.map((one) => one.message)).toEqual([expect.stringContaining(message)]);
  });

  it("is not laid over a manifest, and none over it", async () => {
    await put("compose.yaml", named("init: true"));
    await put("prod.toml", "[services.web]\nreplicas = 2\n");
    for (const files of [
      ["compose.yaml", "prod.toml"],
      ["prod.toml", "compose.yaml"],
    ]) {
      const argv = ["deploy", "-n", ...files.flatMap((file) => ["-f", file])];
      const { code, err } = await ctl(argv, { cwd: dir });
      expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining("prod.toml is a manifest") });
    }
  });

  it("named compose.override.yaml is read only where it is named, and a preview tells", async () => {
    await put("compose.yaml", named("init: true"));
    await put("compose.override.yaml", service("init: false"));
    const load = (...files: readonly string[]) =>
      loadManifest({ terminal: { cwd: dir } } as Parameters<typeof loadManifest>[0], {
        ...{ files, settings: [], envFiles: [] },
      });
    expect(await load()).toMatchObject({
      ...{
        file: "compose.yaml",
        unread: "compose.override.yaml",
        manifest: { services: { web: { init: true } } },
      },
    });
    expect(await load("compose.yaml", "compose.override.yaml")).toMatchObject({
      ...{ file: "compose.yaml, compose.override.yaml", manifest: { services: { web: { init: false } } } },
    });
    const { code, err } = await ctl(["compose", "convert"], { cwd: dir });
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringContaining(
        "read compose.yaml alone; compose.override.yaml is read where it is named",
      ),
    });
  });
});
