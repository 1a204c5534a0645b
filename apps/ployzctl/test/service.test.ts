import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Events, type FakeDaemon, failure, fakeDaemon, type Received } from "./daemon.ts";
import { ctl, type RunOptions } from "./run.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const MANIFEST = `namespace = "prod"
[services.web]
image = "app:v1"
command = ["serve"]
env = { A = "1", B = "2" }
ports = { http = 80 }
routes = [{ host = "a.test", port = "http" }]
[services.api]
bundle = "${DIGEST}"
command = ["node", "api.js"]
[volumes.spare]
`;
const result = {
  type: "result",
  result: {
    ...{ kind: "operation", operation: "01M849JKMJKJNHP441C7VF0Z2Q", primitive: "deploy", state: "done" },
    ...{ changed: true, revision: 9, output: null, owed: [], warnings: [], ms: 1200 },
  },
};

let daemon: FakeDaemon;
let services: readonly object[];
let jobs: readonly object[];
let text: string;
beforeEach(async () => {
  services = [{ name: "web", change: "change", fields: [], instances: [] }];
  jobs = [];
  text = MANIFEST;
  daemon = await fakeDaemon({
    "GET /v1/namespaces/prod/manifest": () => ({ kind: "manifest", namespace: "prod", revision: 8, text }),
    "GET /v1/namespaces/none/manifest": () => failure("no_such_namespace", "there is no namespace none"),
    "POST /v1/operations": ({ body }: Received) => {
      const summary = {
        ...{ kind: "deploy", namespace: "prod", services, jobs, volumes: [], images: [] },
        routes: { added: [], removed: [] },
      };
      const plan = {
        ...{ kind: "plan", primitive: "deploy", hash: "h", changes: true, summary, warnings: [] },
        ...{ prepare: [], settle: [] },
      };
      return new Events(JSON.parse(body).mode === "preview" ? [{ type: "plan", plan }] : [result]);
    },
  });
});
afterEach(() => daemon.close());
const run = (argv: readonly string[], options: RunOptions = {}) =>
  ctl(["--socket", daemon.socket, "deploy", ...argv], options);
const operations = () =>
  daemon.received.filter(({ route }) => route === "POST /v1/operations").map(({ body }) => JSON.parse(body));

describe("deploy service", () => {
  it("changes the named fields of one service, and sends the others unchanged", async () => {
    const line = "service web --namespace prod --image app:v2 -e B=x=y -e C= -p admin=9000 --replicas 3";
    const { code } = await run([...line.split(" "), "--", "serve", "--fast"]);
    expect(code).toBe(0);
    const { manifest, bundles } = operations()[1].input;
    expect(manifest.services.web).toEqual({
      image: "app:v2",
      command: ["serve", "--fast"],
      env: { A: "1", B: "x=y", C: "" },
      ports: { http: 80, admin: 9000 },
      routes: [{ host: "a.test", port: "http" }],
      replicas: 3,
    });
    expect(manifest.services.api).toEqual({ bundle: DIGEST, command: ["node", "api.js"] });
    expect(manifest.volumes).toEqual({ spare: {} });
    expect(bundles).toEqual({ api: DIGEST });
    expect(operations().map(({ mode }) => mode)).toEqual(["preview", "apply"]);
  });

  it("adds one that is not there, if it has an image", async () => {
    const line = "service cron --namespace prod --image cron:1";
    services = [{ name: "cron", change: "add", fields: [], instances: [] }];
    expect((await run(line.split(" "))).code).toBe(0);
    expect(operations()[1].input.manifest.services.cron).toEqual({ image: "cron:1" });
    const { code, err } = await run(["service", "corn", "--namespace", "prod", "--replicas", "2"]);
    expect(code).toBe(3);
    expect(err).toContain("prod has no service corn");
  });

  it("makes a namespace of volumes only run something", async () => {
    text = 'namespace = "prod"\n[services]\n[volumes.spare]\n';
    expect((await run(["service", "web", "--namespace", "prod", "--image", "a"])).code).toBe(0);
    expect(operations()[1].input.manifest).toEqual({
      namespace: "prod",
      services: { web: { image: "a" } },
      volumes: { spare: {} },
    });
  });

  it("puts an image in the place of a bundle", async () => {
    services = [{ name: "api", change: "change", fields: [], instances: [] }];
    await run(["service", "api", "--namespace", "prod", "--image", "api:2"]);
    expect(operations()[1].input).toMatchObject({
      manifest: { services: { api: { image: "api:2", command: ["node", "api.js"] } } },
      bundles: {},
    });
  });

  it("only looks with -n", async () => {
    const { out } = await run(["service", "web", "--namespace", "prod", "--image", "app:v2", "-n"]);
    expect(out).toContain("~ service web");
    expect(operations().map(({ mode }) => mode)).toEqual(["preview"]);
  });

  it.each([
    [
      "another service",
      () => [...services, { name: "api", change: "change", fields: [], instances: [] }],
      [],
    ],
    ["a job", () => services, [{ name: "migrate", action: "run", why: "changed" }]],
  ])("is refused when %s would change too: exit code 3, nothing is applied", async (_what, all, other) => {
    services = all();
    jobs = other;
    const { code, err } = await run(["service", "web", "--namespace", "prod", "--image", "app:v2"]);
    expect(code).toBe(3);
    expect(err).toContain("would change too");
    expect(operations().map(({ mode }) => mode)).toEqual(["preview"]);
  });

  it("allows that dead instances of others are replaced and that jobs run before it", async () => {
    services = [...services, { name: "api", change: "repair", fields: [], instances: [] }];
    jobs = [{ name: "migrate", action: "run", why: "web changed" }];
    expect((await run(["service", "web", "--namespace", "prod", "--image", "app:v2"])).code).toBe(0);
  });

  it("needs a namespace that is there", async () => {
    expect((await run(["service", "web", "--namespace", "none", "--image", "a"])).code).toBe(3);
  });

  it.each([
    ["service web --image a", "--namespace"],
    ["service Web --namespace prod", "SERVICE"],
    ["service web --namespace prod -e 1A=x", "--env"],
    ["service web --namespace prod -e A", "--env"],
    ["service web --namespace prod -p http=0", "--port"],
    ["service web --namespace prod -p HTTP=80", "--port"],
    ["service web --namespace prod --image A::b", "--image"],
  ])("%s: exit code 2, naming the field", async (line, field) => {
    const { code, err } = await run(line.split(" "));
    expect(code).toBe(2);
    expect(err).toContain(field);
    expect(operations()).toEqual([]);
  });
});
