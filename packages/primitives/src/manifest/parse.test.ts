import fc from "fast-check";
import { expect, test } from "vitest";
import { LIMITS } from "../model/limits.ts";
import { bundlePaths, checkManifest, parseManifest } from "./parse.ts";

function refusals(toml: string): readonly string[] {
  const result = parseManifest(`namespace = "prod"\n${toml}`, "toml");
  if (result.ok) return [];
  for (const { code, message } of result.refusals) {
    expect(code).toBe("invalid_input");
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message.length).toBeLessThan(600);
  }
  return result.refusals.map(({ message, hint }) => (hint === undefined ? message : `${message} | ${hint}`));
}

test("the manifest of the documentation is accepted", () => {
  const text = `
namespace = "production"
[services.web]
image = "ghcr.io/acme/web:v3@sha256:${"a".repeat(64)}"
command = ["node", "server.js"]
env = { PORT = "8080" }
replicas = 3
ports = { http = 8080 }
routes = [{ host = "www.example.com", path = "/", port = "http" }, { tcp = 5432, port = "http" }]
ready = { http = "/healthz", port = "http", timeout = "30s" }
drain = "20s"
after = ["migrate"]
resources = { cpus = 0.5, memory = "256M" }
constraints = { region = "eu", machines = ["m1", "m2"] }
[services.api]
bundle = "./api"
command = ["node", "api.js"]
user = "nobody"
placement = "every-machine"
[services.db]
image = "postgres:16"
volumes = { pgdata = "/var/lib/postgresql/data" }
[jobs.migrate]
image = "web"
[volumes.pgdata]
scope = "single"
quota = "20G"
recordsize = "16K"
`;
  const result = parseManifest(text, "toml");
  expect(result.ok ? bundlePaths(result.manifest) : result).toEqual({ api: "./api" });
});

const web = '[services.web]\nimage = "nginx"\n';
const cases: readonly [what: string, toml: string, says: RegExp][] = [
  [
    "an unknown key",
    `${web}replica = 2`,
    /^services\.web\.replica: unknown field \| did you mean `replicas`\?$/,
  ],
  [
    "a key of another world",
    `${web}privileged = true`,
    /privileged: unknown field \| known fields here: image, /,
  ],
  ["a bad name", '[services."a;rm -rf"]\nimage = "x"', /^services\."a;rm -rf": .*not a valid name/],
  ["a name that every object has", '[services.constructor]\nimage = "x"', /^services\.constructor: /],
  ["a leading dash", '[services.-x]\nimage = "x"', /not a valid name/],
  ["a path as a name", '[services."../x"]\nimage = "x"', /not a valid name/],
  ["NUL and newline", '[services."a\\u0000\\nb"]\nimage = "x"', /not a valid name/],
  ["64 KB of a name", `[services.${"a".repeat(65536)}]\nimage = "x"`, /not a valid name/],
  [
    "a secret's name",
    `${web}env = { URL = { secret = "DB/url" } }`,
    /^services\.web\.env\.URL\.secret: "DB\/url" is not valid \| 1 to 63 lower-case letters/,
  ],
  [
    "a secret with a value",
    `${web}env = { URL = { secret = "db", value = "x" } }`,
    /^services\.web\.env\.URL\.value: unknown field \| known fields here: secret$/,
  ],
  [
    "a list in env",
    `${web}env = { URL = ["a"] }`,
    /^services\.web\.env\.URL: must be a string, not .* \| a secret is given by its name: \{ secret = "db-url" \}$/,
  ],
  [
    "a number in env",
    `${web}env = { PORT = 80 }`,
    /^services\.web\.env\.PORT: must be a string, not 80 \| write "80"$/,
  ],
  [
    "TLS",
    `${web}ports = { http = 80 }\nroutes = [{ host = "a.b", http = "serve" }]`,
    /^services\.web\.routes\[0\]\.http: is for routes with `tls = true` only/,
  ],
  [
    "a route to a port that is not there",
    `${web}ports = { http = 80 }\nroutes = [{ host = "a.b", port = "htpp" }]`,
    /^services\.web\.routes\[0\]\.port: .*"htpp" \| did you mean `http`/,
  ],
  [
    "a route without a port",
    `${web}routes = [{ host = "a.b" }]`,
    /routes\[0\]\.port: is required: the service has no `ports`/,
  ],
  [
    "readiness on a port that is not there",
    `${web}ready = { tcp = true, port = "pg" }`,
    /^services\.web\.ready\.port: /,
  ],
  [
    "both kinds of readiness",
    `${web}ports = { a = 1 }\nready = { tcp = true, http = "/" }`,
    /^services\.web\.ready: needs either/,
  ],
  [
    "a Host of a check that sends no request",
    `${web}ports = { a = 1 }\nready = { tcp = true, host = "a.b" }`,
    /^services\.web\.ready\.host: is for `http` only/,
  ],
  [
    "a gRPC service with a slash",
    `${web}ports = { a = 1 }\nready = { grpc = "a/b" }`,
    /^services\.web\.ready\.grpc: /,
  ],
  [
    "gRPC without a port to choose",
    `${web}ports = { a = 1, b = 2 }\nready = { grpc = "" }`,
    /^services\.web\.ready\.port: is required/,
  ],
  [
    "readiness with two questions",
    `${web}ports = { a = 1 }\nready = { grpc = "", settle = "1s" }`,
    /^services\.web\.ready: needs either/,
  ],
  [
    "liveness without a question",
    `${web}ports = { a = 1 }\nliveness = { every = "5s" }`,
    /^services\.web\.liveness: needs either/,
  ],
  [
    "liveness with `settle`",
    `${web}ports = { a = 1 }\nliveness = { settle = "5s" }`,
    /^services\.web\.liveness\.settle: /,
  ],
  [
    "liveness ten times a second",
    `${web}ports = { a = 1 }\nliveness = { tcp = true, every = "100ms" }`,
    /^services\.web\.liveness\.every: /,
  ],
  [
    "a port of a program",
    `${web}ports = { a = 1 }\nliveness = { exec = ["x"], port = "a" }`,
    /^services\.web\.liveness\.port: is for/,
  ],
  [
    "a Host among the headers of a check",
    `${web}ports = { a = 1 }\nready = { http = "/", headers = { host = "a.b" } }`,
    /^services\.web\.ready\.headers\.host: is the field `host`/,
  ],
  [
    "a header with a line break",
    `${web}ports = { a = 1 }\nready = { http = "/", headers = { X-A = "a\\r\\nB: c" } }`,
    /^services\.web\.ready\.headers\.X-A: /,
  ],
  [
    "a Host with a space",
    `${web}ports = { a = 1 }\nready = { http = "/", host = "a b" }`,
    /^services\.web\.ready\.host: /,
  ],
  [
    "a status that is none",
    `${web}ports = { a = 1 }\nready = { http = "/", status = [20] }`,
    /^services\.web\.ready\.status\[0\]: /,
  ],
  [
    "a program beside another check",
    `${web}ready = { exec = ["true"], settle = "1s" }`,
    /^services\.web\.ready: needs either/,
  ],
  [
    "an empty program",
    `${web}ready = { exec = [""] }`,
    /^services\.web\.ready\.exec\[0\]: must not be empty/,
  ],
  [
    "a file of variables that ployzctl has not read",
    `${web}env_file = "x"`,
    /^services\.web\.env_file: is read by/,
  ],
  [
    "settling for longer than the time-out",
    `${web}ready = { settle = "31s" }`,
    /^services\.web\.ready\.settle: must be shorter than `timeout`/,
  ],
  [
    "a gateway's own port",
    `${web}ports = { a = 1 }\nroutes = [{ tcp = 443 }]`,
    /routes\[0\]\.tcp: port 443 is kept/,
  ],
  [
    "one host and path twice",
    `${web}ports = { a = 1 }\nroutes = [{ host = "a.b", path = "/x" }, { host = "a.b", path = "/x/" }]`,
    /routes\[1\]: a\.b\/x is routed by services\.web\.routes\[0\] already/,
  ],
  ...[22, 53, 80, 443, 4222, 4232, 6222, 6232, 8222, 8232, 4319, 51820, 51821].map(
    (port): [string, string, RegExp] => [
      `TCP port ${port}, which is kept`,
      `${web}ports = { a = 1 }\nroutes = [{ tcp = ${port} }]`,
      new RegExp(`routes\\[0\\]\\.tcp: port ${port} is kept for`),
    ],
  ),
  [
    "one TCP port twice",
    `${web}ports = { a = 1 }\nroutes = [{ tcp = 9000 }, { tcp = 9000 }]`,
    /TCP port 9000 is routed/,
  ],
  [
    "a host in upper case",
    `${web}ports = { a = 1 }\nroutes = [{ host = "A.b" }]`,
    /routes\[0\]\.host: "A\.b" is not valid/,
  ],
  [
    "a path that climbs",
    `${web}ports = { a = 1 }\nroutes = [{ host = "a.b", path = "/a/../b" }]`,
    /routes\[0\]\.path: /,
  ],
  ...["//", "/a//b", "/%2e%2E", "/a%2Fb", "/a%5cb", "/a%3bb", "/%2561", "/%00", "/%c0%ae", "/%", "/%zz"].map(
    (path): [string, string, RegExp] => [
      `the path ${path}, which servers read in two ways`,
      `${web}ports = { a = 1 }\nroutes = [{ host = "a.b", path = "${path}" }]`,
      /routes\[0\]\.path: /,
    ],
  ),
  [
    "replicas on a single writer",
    `${web}replicas = 2\nvolumes = { d = "/d" }\n[volumes.d]`,
    /^services\.web\.replicas: is 2, but volume "d" has a single writer/,
  ],
  [
    "every machine on a single writer",
    `${web}placement = "every-machine"\nvolumes = { d = "/d" }\n[volumes.d]`,
    /^services\.web\.placement: /,
  ],
  [
    "start-first on a volume",
    `${web}update = "start-first"\nvolumes = { d = "/d" }\n[volumes.d]`,
    /^services\.web\.update: /,
  ],
  [
    "a volume that is not there",
    `${web}volumes = { d = "/d" }`,
    /^services\.web\.volumes\.d: no such volume/,
  ],
  [
    "a volume over the instance's own folders",
    `${web}volumes = { d = "/etc" }\n[volumes.d]`,
    /^services\.web\.volumes\.d: \/etc belongs to the instance itself/,
  ],
  ["a volume at the root", `${web}volumes = { d = "/" }\n[volumes.d]`, /^services\.web\.volumes\.d: /],
  ["no process at all", `${web}resources = { pids = 0 }`, /^services\.web\.resources\.pids: /],
  [
    "after nothing",
    `${web}after = ["mgrate"]\n[jobs.migrate]\nimage = "x"`,
    /after\[0\]: .*"mgrate" \| did you mean `migrate`/,
  ],
  [
    "a cycle",
    `${web}after = ["b"]\n[services.b]\nimage = "x"\nafter = ["c"]\n[jobs.c]\nimage = "x"\nafter = ["web"]`,
    /wait for each other: web → b → c → web/,
  ],
  ["waiting for itself", `${web}after = ["web"]`, /web → web/],
  [
    "a job named like a service",
    `${web}[jobs.web]\nimage = "x"`,
    /^jobs\.web: a service is called "web" too/,
  ],
  [
    "a bundle without a command",
    '[services.api]\nbundle = "./api"',
    /^services\.api\.command: is required with a `bundle`/,
  ],
  [
    "an option as a program",
    '[services.api]\nbundle = "./api"\ncommand = ["--help"]',
    /^services\.api\.command\[0\]: /,
  ],
  ["image and bundle", `${web}bundle = "./x"\ncommand = ["x"]`, /^services\.web\.bundle: excludes `image`/],
  ["neither", '[services.web]\ncommand = ["x"]', /^services\.web: needs an `image`/],
  [
    "replicas and placement",
    `${web}replicas = 1\nplacement = "every-machine"`,
    /^services\.web\.replicas: excludes/,
  ],
  [
    "a duration in words",
    `${web}drain = "20 seconds"`,
    /^services\.web\.drain: .* \| a whole number and ms, s, m or h/,
  ],
  ["a week of drain", `${web}drain = "168h"`, /^services\.web\.drain: 168h is longer than a day/],
  ["a size without a unit", `${web}resources = { memory = "256" }`, /^services\.web\.resources\.memory: /],
  ["a date for a table", `${web}resources = 2020-01-01`, /^services\.web\.resources: must be a table/],
  [
    "an update that does not exist",
    `${web}update = "rolling"`,
    /must be "start-first" or "stop-first", not "rolling"/,
  ],
  [
    "an entrypoint of a bundle",
    '[services.api]\nbundle = "./api"\ncommand = ["x"]\nentrypoint = ["y"]',
    /^services\.api\.entrypoint: /,
  ],
  ["an empty entrypoint", `${web}entrypoint = [""]`, /^services\.web\.entrypoint\[0\]: must not be empty/],
  ["a relative working folder", `${web}working_dir = "srv"`, /^services\.web\.working_dir: /],
  ["a working folder upwards", `${web}working_dir = "/srv/../etc"`, /^services\.web\.working_dir: /],
  ["a signal that stops nothing", `${web}stop_signal = "SIGFOO"`, /^services\.web\.stop_signal: /],
  ["an unknown architecture", `${web}constraints = { arch = "x86" }`, /^services\.web\.constraints\.arch: /],
  ["a user that is an option", `${web}user = "-g root"`, /^services\.web\.user: /],
  ["a half digest", '[services.web]\nimage = "nginx@sha256:12"', /^services\.web\.image: /],
  ["an image with a space", '[services.web]\nimage = "nginx latest"', /^services\.web\.image: /],
  ["an image that is an option", '[services.web]\nimage = "--privileged"', /^services\.web\.image: /],
  ["a NUL in an argument", `${web}command = ["a\\u0000b"]`, /^services\.web\.command\[0\]: /],
  ["nothing at all", "", /^services: the manifest names no service and no job/],
];

test.each(cases)("%s is refused, naming the field", (_what, toml, says) => {
  expect(refusals(toml).some((line) => says.test(line)) || refusals(toml)).toBe(true);
});

test("all errors come at once", () => {
  expect(refusals('[services.web]\nimag = "x"\nreplicas = "2"\n[services.B]\nimage = "x y"').length).toBe(4);
});

test("good image references pass, whatever their parts", () => {
  for (const image of [
    "nginx",
    "localhost:5000/a/b_c-d__e.f:v1",
    "[::1]:5000/x",
    "registry.example.com/x:T_a.g-1",
  ])
    expect(refusals(`[services.web]\nimage = "${image}"`)).toEqual([]);
});

test("syntax errors say line and column", () => {
  const toml = parseManifest('namespace = "x"\n[services\n', "toml");
  const json = parseManifest('{\n  "namespace": "x",\n}', "json");
  expect(!toml.ok && toml.refusals[0]?.message).toMatch(/^line 2, column \d+: /);
  expect(!json.ok && json.refusals[0]?.message).toMatch(/^line 3, column 1: /);
});

test("more than a megabyte is not read", () => {
  const result = parseManifest(`# ${"x".repeat(LIMITS.manifest)}`, "toml");
  expect(!result.ok && result.refusals[0]?.message).toMatch(/1048576/);
});

test("no document makes the checker throw, and every refusal is one printable line", () => {
  const key = fc.oneof(
    fc.constantFrom(
      "namespace",
      "services",
      "jobs",
      "web",
      "image",
      "env",
      "routes",
      "after",
      "ports",
      "ready",
      "__proto__",
    ),
    fc.string(),
  );
  const { document } = fc.letrec((tie) => ({
    document: fc.oneof(
      { maxDepth: 6 },
      fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
      fc.array(tie("document"), { maxLength: 3 }),
      fc.dictionary(key, tie("document"), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(document, (value) => {
      const result = checkManifest(JSON.parse(JSON.stringify(value)));
      if (!result.ok) for (const { message } of result.refusals) expect(message).not.toMatch(/\p{Cc}/u);
    }),
    { numRuns: 500 },
  );
});

test("a host in any letters becomes the one of DNS", () => {
  const hosts = ["bücher.example", "*.BÜCHER.example", "www.example.com"];
  const routes = hosts.map((host, index) => `{ host = "${host}", path = "/${index}" }`).join(", ");
  const parsed = parseManifest(
    `namespace = "prod"\n${web}ports = { http = 80 }\nroutes = [${routes}]`,
    "toml",
  );
  expect(parsed.ok && parsed.manifest.services?.web?.routes?.map(({ host }) => host)).toEqual([
    ...["xn--bcher-kva.example", "*.xn--bcher-kva.example", "www.example.com"],
  ]);
  const bad = parseManifest(
    `namespace = "prod"\n${web}ports = { http = 80 }\nroutes = [{ host = "ü b.example" }]`,
    "toml",
  );
  expect(bad.ok ? [] : bad.refusals).toMatchObject([
    { message: expect.stringMatching(/^services\.web\.routes\[0\]\.host/) },
  ]);
});

test.each([
  ["{}", false],
  ["{ last = 0 }", false],
  ["{ last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }", false],
  ["{ last = 1 }", true],
  ["{ last = 0, yearly = 1 }", true],
])("keep = %s of snapshots and of backups: accepted is %s", (keep, accepted) => {
  for (const rule of ["snapshots", "backup"]) {
    const repository = rule === "backup" ? 'repository = "offsite", ' : "";
    const found = refusals(`${web}[volumes.data]\n${rule} = { ${repository}every = "15m", keep = ${keep} }`);
    if (accepted) expect(found).toEqual([]);
    else expect(found.join()).toMatch(new RegExp(`^volumes\\.data\\.${rule}\\.keep: [^|]* \\| `));
  }
});
