import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Events, type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl, type RunOptions } from "./run.ts";

const ID = "01M849JKMJKJNHP441C7VF0Z2Q";
const MANIFEST = `namespace = "prod"
[services.web]
bundle = "./web"
command = ["./run"]
`;
const result = (over: object) => ({
  type: "result",
  result: {
    ...{ kind: "operation", operation: ID, primitive: "deploy", state: "done", changed: true },
    ...{ output: null, owed: [], warnings: [], ms: 1200 },
    ...over,
  },
});
const accepted = { type: "accepted", operation: ID, primitive: "deploy", resumed: false };

let daemon: FakeDaemon | undefined;
afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
});

async function deploy(
  events: AsyncIterable<unknown> | Iterable<unknown>,
  argv: readonly string[] = [],
  options: RunOptions & {
    readonly manifest?: string;
    readonly present?: boolean;
    /** What a restarted daemon tells of it. */
    readonly after?: readonly unknown[];
    readonly large?: boolean;
  } = {},
) {
  daemon = await fakeDaemon({
    "GET /v1/bundles/:digest": () => ({ kind: "bundle", present: options.present === true }),
    "PUT /v1/bundles/:digest": () => ({ kind: "bundle", present: true }),
    "POST /v1/operations": () => new Events(events),
    ...(options.after && { [`GET /v1/operations/${ID}/events`]: () => new Events(options.after ?? []) }),
    [`POST /v1/operations/${ID}/abort`]: () => ({ kind: "abort", operation: ID, state: "running" }),
  });
  await mkdir(join(daemon.dir, "web"));
  await writeFile(join(daemon.dir, "web", "run"), "#!/bin/sh\n", { mode: 0o755 });
  if (options.large === true)
    await writeFile(join(daemon.dir, "web", "large"), Buffer.alloc(9 * 1024 * 1024));
  await writeFile(join(daemon.dir, "ployz.toml"), options.manifest ?? MANIFEST);
  return ctl(["deploy", "--socket", daemon.socket, ...argv], { cwd: daemon.dir, ...options });
}
const routes = () => daemon?.received.map(({ route }) => route.replace(/sha256:\w+/, "…"));

describe("requests", () => {
  it("ships a bundle that the daemon lacks, then asks for the deploy", async () => {
    const { code } = await deploy([accepted, result({ revision: 7 })]);
    expect(code).toBe(0);
    expect(routes()).toEqual(["GET /v1/bundles/…", "PUT /v1/bundles/…", "POST /v1/operations"]);
    const body = JSON.parse(daemon?.received[2]?.body ?? "");
    expect(body).toMatchObject({
      primitive: "deploy",
      mode: "apply",
      by: "me@here",
      input: { manifest: { namespace: "prod" } },
    });
    expect(body.input.bundles.web).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it("shows how large a large upload is before it begins, and how far it is", async () => {
    const { err } = await deploy([accepted, result({})], [], { large: true });
    expect(err).toMatch(/^bundle of web \(\.\/web\): 2 files, 9\.0M\n/);
    expect(err).toContain("uploading the bundle of web 9.0M of 9.0M");
  });

  it("does not ship a large bundle for a deploy that is refused anyway", async () => {
    const missing = { code: "bundle_missing", message: "services.web.bundle: no machine has it" };
    const nowhere = { code: "no_placement", message: "services.db: fits nowhere" };
    const both = { type: "refused", refusals: [missing, nowhere] };
    const { code, out, err } = await deploy([both], ["--json"], { large: true });
    expect(code).toBe(3);
    expect(JSON.parse(out)).toEqual({ kind: "error", error: nowhere, refusals: [nowhere] });
    expect(routes()).toEqual(["GET /v1/bundles/…", "POST /v1/operations"]);
    expect(JSON.parse(daemon?.received[1]?.body ?? "")).toMatchObject({ mode: "preview" });
    expect(err).not.toContain("bundle of web");
  });

  it("ships a large bundle that nothing but its absence speaks against", async () => {
    const missing = { code: "bundle_missing", message: "services.web.bundle: no machine has it" };
    await deploy([{ type: "refused", refusals: [missing] }], [], { large: true });
    expect(routes()).toEqual([
      "GET /v1/bundles/…",
      "POST /v1/operations",
      "PUT /v1/bundles/…",
      "POST /v1/operations",
    ]);
  });

  it("ships nothing that is there, and takes another namespace", async () => {
    await deploy([accepted, result({})], ["--namespace", "pr-42"], { present: true });
    expect(routes()).toEqual(["GET /v1/bundles/…", "POST /v1/operations"]);
    expect(JSON.parse(daemon?.received[1]?.body ?? "").input.manifest.namespace).toBe("pr-42");
  });

  it("takes the digest of a bundle that the cluster has in the place of a path", async () => {
    const digest = `sha256:${"a".repeat(64)}`;
    const { code } = await deploy([accepted, result({})], [], {
      manifest: MANIFEST.replace("./web", digest),
    });
    expect(code).toBe(0);
    expect(routes()).toEqual(["POST /v1/operations"]);
    expect(JSON.parse(daemon?.received[0]?.body ?? "").input.bundles).toEqual({ web: digest });
  });

  it("reads a manifest from stdin", async () => {
    const { code } = await deploy([accepted, result({})], ["-f", "-"], { stdin: MANIFEST });
    expect(code).toBe(0);
  });

  it.each([
    [
      "an unknown key and a bad name",
      `namespace = "Prod"\n[services.web]\nimage = "a"\nreplica = 2\n`,
      ["namespace", "services.web.replica", "replicas"],
    ],
    ["an invalid TOML file", "namespace = = 3", ["ployz.toml: line 1"]],
    ["a bundle that is not there", MANIFEST.replace("./web", "./wbe"), ["bundle of web (./wbe)"]],
  ])("sends nothing for %s, and names it: exit code 2", async (_what, manifest, named) => {
    const { code, out, err } = await deploy([], [], { manifest });
    expect({ code, out }).toEqual({ code: 2, out: "" });
    for (const name of named) expect(err).toContain(name);
    expect(routes()).toEqual([]);
  });

  it("reports a missing manifest", async () => {
    expect(await ctl(["deploy"], { cwd: "/nonexistent" })).toMatchObject({ code: 2, out: "" });
  });
});

describe("results", () => {
  const step = { type: "step", step: "start", title: "start web.1 on m1", machine: "m1" };

  it("shows each step as a line, and the result", async () => {
    const { out, err } = await deploy([
      accepted,
      { ...step, state: "done", ms: 12 },
      { type: "committed", revision: 7 },
      result({ revision: 7 }),
    ]);
    expect(err).toBe(`operation ${ID}\n  + start web.1 on m1 [m1] (12 ms)\n  * committed\n`);
    expect(out).toContain("done (revision 7, 1.2 s)");
  });

  it("reports that there was nothing to change", async () => {
    expect((await deploy([accepted, result({ changed: false })])).out).toContain("nothing to change");
  });

  it("shows the last log lines of a failed instance: exit code 1", async () => {
    const error = {
      code: "instance_exited",
      message: "web.1 ended",
      hint: "fix it",
      details: { logs: ["no config"] },
    };
    const { code, out, err } = await deploy([accepted, result({ state: "failed", changed: false, error })]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("error: web.1 ended\n    no config\nhint: fix it\n");
  });

  it.each([
    ["a refusal", [{ type: "refused", refusals: [{ code: "scope_busy", message: "busy" }] }], 3],
    ["a refused manifest", [{ type: "refused", refusals: [{ code: "invalid_input", message: "no" }] }], 2],
    ["cleanup that is owed", [accepted, result({ state: "cleanup-owed", revision: 7 })], 5],
    ["a lost connection before it began", [], 4],
    ["a lost connection: it may still commit", [accepted], 5],
    [
      "one that another machine may take over",
      [accepted, result({ state: "interrupted", changed: false })],
      5,
    ],
  ])("%s", async (_what, events, expected) => {
    expect((await deploy(events)).code).toBe(expected);
  });

  describe("when the daemon goes away after the commit", () => {
    const until = [accepted, { type: "committed", revision: 7 }];

    it("waits for it, and tells how the operation ended", async () => {
      const asked = deploy(until, ["--json"], { after: [result({ revision: 7 })] });
      expect(await asked.then(({ code, out }) => ({ code, ...JSON.parse(out) }))).toMatchObject({
        ...{ code: 0, state: "done", changed: true, revision: 7 },
      });
    });

    it("and does not come back, the operation is committed all the same: exit code 5", async () => {
      const asked = deploy(until, ["--json"]);
      expect(await asked.then(({ code, out }) => ({ code, ...JSON.parse(out) }))).toMatchObject({
        ...{ code: 5, state: "cleanup-owed", changed: true, revision: 7 },
        warnings: [expect.stringContaining(`ployzctl ops show ${ID}`)],
      });
    });
  });

  it("prints one document with --json, and events on stderr only with --events", async () => {
    const quiet = await deploy([accepted, result({})], ["--json"]);
    expect(JSON.parse(quiet.out)).toMatchObject({ kind: "operation", state: "done" });
    expect(quiet.err).toBe("");
    await daemon?.close();
    const loud = await deploy([accepted, result({})], ["--json", "--events"]);
    expect(
      loud.err
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).type),
    ).toEqual(["accepted", "result"]);
  });

  it("tells the warnings of the plan once: as it begins, or with --json in the document", async () => {
    const plan = { kind: "plan", primitive: "deploy", hash: "h", changes: true, summary: {}, prepare: [] };
    const begun = [accepted, { type: "plan", plan: { ...plan, settle: [], warnings: ["m2 is away"] } }];
    const text = await deploy([...begun, result({})]);
    expect(`${text.out}${text.err}`.split("m2 is away")).toHaveLength(2);
    await daemon?.close();
    const json = await deploy([...begun, result({})], ["--json"]);
    expect(JSON.parse(json.out)).toMatchObject({ state: "done", warnings: ["m2 is away"] });
    await daemon?.close();
    // An operation that changes nothing repeats them in its result.
    const same = await deploy([...begun, result({ changed: false, warnings: ["m2 is away"] })]);
    expect(`${same.out}${same.err}`.split("m2 is away")).toHaveLength(2);
  });

  it("names every refusal in the JSON error", async () => {
    const refusals = [
      { code: "no_fit", message: "one" },
      { code: "port_taken", message: "two" },
    ];
    const { out } = await deploy([{ type: "refused", refusals }], ["--json"]);
    expect(JSON.parse(out)).toEqual({ kind: "error", error: refusals[0], refusals });
  });

  it("shows a preview as a diff, and asks for a preview only", async () => {
    const summary = {
      kind: "deploy",
      namespace: "prod",
      services: [
        {
          name: "web",
          change: "change",
          fields: [{ field: "replicas", from: 1, to: 2 }],
          instances: [{ id: "x", slot: 2, machine: "m2", action: "start", why: "new" }],
        },
      ],
      jobs: [],
      images: [],
      volumes: [],
      routes: {
        added: [{ kind: "http", host: "a.test", path: "/", port: "http", service: "web" }],
        removed: [],
      },
    };
    const plan = {
      kind: "plan",
      primitive: "deploy",
      hash: "h",
      changes: true,
      summary,
      warnings: [],
      prepare: [],
      settle: [],
    };
    const { code, out } = await deploy([{ type: "plan", plan }], ["-n"]);
    expect(code).toBe(0);
    expect(out.split("\n").slice(0, 4)).toEqual([
      "~ service web",
      "    replicas: 1 -> 2",
      "+   start web.2 on m2 (new)",
      "+ route http://a.test/ -> web:http",
    ]);
    expect(JSON.parse(daemon?.received.at(-1)?.body ?? "").mode).toBe("preview");
  });
});

it("says what happens to instances, and that a job with a schedule runs by it", async () => {
  const instance = (slot: number, action: string) => ({ id: "x", slot, machine: "m1", action });
  const service = (name: string, ...instances: unknown[]) => ({
    ...{ name, change: "repair", fields: [], instances },
  });
  const summary = {
    ...{ kind: "deploy", namespace: "prod", images: [], volumes: [], routes: { added: [], removed: [] } },
    services: [
      service("a", instance(1, "stop")),
      service("b", instance(1, "start")),
      service("c", instance(1, "start"), instance(1, "stop")),
    ],
    jobs: [
      { name: "migrate", action: "skip" },
      { name: "report", action: "skip", scheduled: true },
    ],
  };
  const plan = {
    ...{ kind: "plan", primitive: "deploy", hash: "h", changes: true, summary, warnings: [] },
    ...{ prepare: [{ id: "x", title: "x", needs: [] }], settle: [] },
  };
  const { out } = await deploy([{ type: "plan", plan }], ["-n"]);
  expect(out.split("\n").filter((line) => !line.includes(" on m1"))).toEqual([
    "~ service a (stopped)",
    "~ service b (started)",
    "~ service c (instances replaced)",
    "  job migrate has already run",
    "  job report runs by its schedule",
    "1 step; nothing has changed yet",
    "",
  ]);
});

it("a plan shows which settings of a volume change, though its data stays", async () => {
  const volume = { name: "data", action: "keep", machine: "m1", spec: { scope: "single" } };
  const fields = [{ field: "standby", to: { machines: ["m3"] } }];
  const summary = {
    ...{ kind: "volume-standby-add", namespace: "prod", routes: { added: [], removed: [] }, images: [] },
    ...{
      services: [],
      jobs: [],
      volumes: [
        { ...volume, fields },
        { ...volume, name: "other" },
      ],
    },
  };
  const plan = {
    ...{ kind: "plan", primitive: "deploy", hash: "h", changes: true, summary, warnings: [] },
    ...{ prepare: [{ id: "x", title: "x", needs: [] }], settle: [] },
  };
  const { out } = await deploy([{ type: "plan", plan }], ["-n"]);
  expect(out).toBe(
    '~ volume data on m1\n    standby: none -> {"machines":["m3"]}\n1 step; nothing has changed yet\n',
  );
});

describe("Ctrl-C", () => {
  /** Presses it when the operation is this far, and ends as the daemon would. */
  async function pressed(before: readonly unknown[], presses: number, end?: unknown) {
    let press = () => {};
    async function* events() {
      yield* before;
      await new Promise((resolve) => setTimeout(resolve, 50)); // the event has to reach the client first
      for (let i = 0; i < presses; i++) press();
      if (end === undefined) await new Promise(() => {});
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield end;
    }
    return deploy(events(), [], {
      onInterrupt: (listener) => {
        press = listener;
      },
    });
  }

  it("before the commit asks for an abort and waits for its end: exit code 130", async () => {
    const { code, err } = await pressed([accepted], 1, result({ state: "aborted", changed: false }));
    expect(code).toBe(130);
    expect(routes()).toContain(`POST /v1/operations/${ID}/abort`);
    expect(err).toContain("nothing was changed");
  });

  it("after the commit detaches, and shows how to follow", async () => {
    const { code, err } = await pressed([accepted, { type: "committed", revision: 3 }], 1);
    expect(code).toBe(5);
    expect(err).toContain(`ployzctl ops watch ${ID}`);
    expect(routes()).not.toContain(`POST /v1/operations/${ID}/abort`);
  });

  it("twice leaves at once", async () => {
    const { code, err } = await pressed([accepted], 2);
    expect(code).toBe(130);
    expect(err).toContain(`ployzctl ops watch ${ID}`);
  });
});

describe("a deploy that removes something", () => {
  const removal = { code: "would_remove", message: "this deploy removes from prod: service api" };
  /** The daemon refuses the removal when the request says so. */
  async function removing(argv: readonly string[], options: RunOptions = {}) {
    daemon = await fakeDaemon({
      "GET /v1/bundles/:digest": () => ({ kind: "bundle", present: true }),
      "POST /v1/operations": ({ body }) =>
        new Events([
          JSON.parse(body).input.removals === "refuse"
            ? { type: "refused", refusals: [removal] }
            : result({}),
        ]),
    });
    await mkdir(join(daemon.dir, "web"));
    await writeFile(join(daemon.dir, "ployz.toml"), MANIFEST);
    return ctl(["deploy", "--socket", daemon.socket, ...argv], { cwd: daemon.dir, ...options });
  }
  const asked = () => daemon?.received.filter(({ route }) => route === "POST /v1/operations").length;

  it("is refused without a terminal, and names what goes", async () => {
    const { code, err } = await removing([]);
    expect([code, asked()]).toEqual([3, 1]);
    expect(err).toContain("this deploy removes from prod: service api");
    expect((await removing(["--json"])).code).toBe(3);
  });

  it.each(["--yes", "-y", "--prune"])("is done with %s", async (flag) => {
    expect((await removing([flag])).code).toBe(0);
    expect(asked()).toBe(1);
  });

  it("asks at a terminal, and says that the file is another namespace's", async () => {
    const yes = await removing(["--namespace", "data"], { typed: ["y"] });
    expect([yes.code, asked()]).toEqual([0, 2]);
    expect(yes.err).toContain(
      "ployz.toml names the namespace prod; it is deployed into data\nthis deploy removes from prod: service api\nRemove them? [y/N]",
    );
    const no = await removing([], { typed: ["n"] });
    expect([no.code, asked()]).toEqual([130, 1]);
  });
});
