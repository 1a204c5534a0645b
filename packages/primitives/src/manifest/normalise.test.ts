import { expect, test } from "vitest";
import type { ServiceSpec } from "../model/commit.ts";
import { normalise } from "./normalise.ts";
import { parseManifest } from "./parse.ts";
import { instanceRevision, specRevision } from "./revision.ts";
import { durationMs, formatDuration, formatSize, sizeBytes } from "./units.ts";

function normal(toml: string) {
  const result = parseManifest(`namespace = "prod"\n${toml}`, "toml");
  if (!result.ok) throw new Error(JSON.stringify(result.refusals));
  return normalise(result.manifest);
}

function spec(toml: string): ServiceSpec {
  const web = normal(`[services.web]\nimage = "nginx"\n${toml}`).services.web;
  if (web === undefined) throw new Error("no service");
  const { image: ref = "", bundle: _, ...draft } = web;
  return { ...draft, image: { ref, digest: `sha256:${"1".repeat(64)}` } };
}

test("defaults are filled in", () => {
  expect(normal('[services.web]\nimage = "nginx"').services.web).toEqual({
    image: "nginx",
    env: {},
    after: [],
    placement: { kind: "replicas", count: 1 },
    ports: {},
    ready: { kind: "running", settleMs: 1000, timeoutMs: 30_000 },
    drainMs: 10_000,
    stopGraceMs: 10_000,
    update: "start-first",
    volumes: {},
    routes: [],
  });
});

test("a port need not be named where there is only one", () => {
  const { routes, ready } = spec(
    'ports = { http = 80 }\nroutes = [{ host = "a.b", path = "/x/" }]\nready = { http = "/" }',
  );
  expect(routes).toEqual([{ kind: "http", host: "a.b", path: "/x", port: "http" }]);
  expect(ready).toMatchObject({ kind: "http", port: "http" });
});

test("readiness by a program", () => {
  expect(spec('ports = { g = 90 }\nready = { grpc = "a.B" }\nliveness = { grpc = "" }')).toMatchObject({
    ready: { kind: "grpc", service: "a.B", port: "g", timeoutMs: 30_000 },
    liveness: {
      probe: { kind: "grpc", service: "", port: "g" },
      everyMs: 10_000,
      timeoutMs: 5000,
      failures: 3,
    },
  });
  expect(spec("").liveness).toBeUndefined();
  expect(spec('ready = { exec = ["pg_isready"], timeout = "1m" }').ready).toEqual({
    kind: "exec",
    argv: ["pg_isready"],
    timeoutMs: 60_000,
  });
});

test("another order of fields is the same specification", () => {
  const one = spec(
    'env = { A = "1", B = "2" }\nports = { a = 1, b = 2 }\nroutes = [{ host = "x", port = "a" }, { host = "y", port = "b" }]',
  );
  const two = spec(
    'routes = [{ host = "y", port = "b" }, { host = "x", port = "a" }]\nports = { b = 2, a = 1 }\nenv = { B = "2", A = "1" }',
  );
  expect(JSON.stringify(one)).toBe(JSON.stringify(two));
  expect(specRevision(one)).toBe(specRevision(two));
});

test.each([
  ["routes", 'ports = { http = 80 }\nroutes = [{ host = "a.b" }]', false],
  ["drain", 'ports = { http = 80 }\ndrain = "1s"', false],
  ["replicas", "ports = { http = 80 }\nreplicas = 4", false],
  ["readiness", "ports = { http = 80 }\nready = { tcp = true }", false],
  ["liveness", "ports = { http = 80 }\nliveness = { tcp = true }", false],
  ["env", 'ports = { http = 80 }\nenv = { A = "1" }', true],
  ["command", 'ports = { http = 80 }\ncommand = ["x"]', true],
  ["memory", 'ports = { http = 80 }\nresources = { memory = "1G" }', true],
  ["ports", "ports = { http = 81 }", true],
])(
  "a change of %s: the specification changes; instances restart only for what they run with",
  (_what, toml, restarts) => {
    const [before, after] = [spec("ports = { http = 80 }"), spec(toml)];
    expect(specRevision(after)).not.toBe(specRevision(before));
    expect(instanceRevision(after) !== instanceRevision(before)).toBe(restarts);
  },
);

test("a service with a volume stops first", () => {
  expect(normal('[services.db]\nimage = "x"\nvolumes = { d = "/d" }\n[volumes.d]').services.db?.update).toBe(
    "stop-first",
  );
});

test("units read and write", () => {
  expect(["500ms", "30s", "2m", "1h", "1d"].map(durationMs)).toEqual([
    500,
    30_000,
    120_000,
    3_600_000,
    undefined,
  ]);
  expect(["4K", "256M", "1G", "1"].map(sizeBytes)).toEqual([4096, 268_435_456, 1_073_741_824, undefined]);
  expect([0, 500, 30_000, 90_000, 3_600_000].map(formatDuration)).toEqual([
    "0ms",
    "500ms",
    "30s",
    "90s",
    "1h",
  ]);
  expect([268_435_456, 1024, 1_073_741_824].map(formatSize)).toEqual(["256M", "1K", "1G"]);
});

test("a program that says where it starts and how it stops is another instance", () => {
  const plain = spec("");
  for (const field of ['entrypoint = ["/x"]', 'working_dir = "/srv"', 'stop_signal = "SIGINT"'])
    expect(instanceRevision(spec(field))).not.toBe(instanceRevision(plain));
  expect(instanceRevision(spec('constraints = { arch = "arm64" }'))).toBe(instanceRevision(plain));
});
