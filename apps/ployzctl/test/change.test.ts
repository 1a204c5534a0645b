import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Events, type FakeDaemon, fakeDaemon, type Received } from "./daemon.ts";
import { ctl, type RunOptions } from "./run.ts";

const ID = "01M849JKMJKJNHP441C7VF0Z2Q";
const summary = {
  ...{ kind: "x", namespace: "prod", jobs: [], images: [], routes: { added: [], removed: [] } },
  services: [{ name: "web", change: "remove", fields: [], instances: [] }],
  volumes: [{ name: "pgdata", action: "drop", machine: "m2", spec: { scope: "single" } }],
};
const plan = (primitive: string, changes = true) => ({
  ...{ type: "plan" },
  plan: {
    ...{ kind: "plan", primitive, hash: "h", changes, summary, warnings: ["data stays for its clone"] },
    ...{ prepare: [], settle: [] },
  },
});
const done = (output: object | null) => ({
  type: "result",
  result: {
    ...{ kind: "operation", operation: ID, primitive: "x", state: "done", changed: true, revision: 9 },
    ...{ output, owed: [], warnings: [], ms: 1200 },
  },
});

const unconfirmed = (volume: string) => ({
  ...{ code: "data_loss_unconfirmed", message: `${volume}: later writes are on m2 only` },
  ...{ hint: `accept that: --accept-loss ${volume}`, details: { volume } },
});

let daemon: FakeDaemon;
let changes: boolean;
let output: object | null;
/** Volumes whose loss has to be accepted. */
let risked: readonly string[];
beforeEach(async () => {
  changes = true;
  output = null;
  risked = [];
  daemon = await fakeDaemon({
    "POST /v1/operations": ({ body }: Received) => {
      const { primitive, mode, input } = JSON.parse(body);
      const lost = risked.filter((volume) => !(input.acceptLoss ?? input.lose ?? []).includes(volume));
      if (lost.length > 0) return new Events([{ type: "refused", refusals: lost.map(unconfirmed) }]);
      if (mode === "prepare") {
        const kept = { ...plan(primitive).plan, prepared: { id: ID, expiresAt: "2026-01-02T00:00:00Z" } };
        return new Events([{ type: "plan", plan: kept }]);
      }
      return new Events(mode === "preview" ? [plan(primitive, changes)] : [plan(primitive), done(output)]);
    },
  });
});
afterEach(() => daemon.close());
const run = (argv: readonly string[], options: RunOptions = {}) =>
  ctl(["--socket", daemon.socket, ...argv], options);
const asked = () => daemon.received.map(({ body }) => JSON.parse(body));

describe("requests to the daemon", () => {
  it.each([
    [
      "branch apply prod pr-42 --volume-mode branch --service worker=skip --volume cache=fresh --route www.example.com=pr.example.com --route 5432=5433 --to m2",
      "branch",
      {
        ...{ source: "prod", target: "pr-42", volumeMode: "branch", machine: "m2" },
        ...{ services: { worker: "skip" }, volumes: { cache: "fresh" } },
        routes: { "www.example.com": "pr.example.com", "5432": "5433" },
      },
    ],
    ["promote pr-42 prod", "promote", { source: "pr-42", target: "prod" }],
    [
      "promote pr-42 prod --volume assets=replace --volume pgdata=keep",
      "promote",
      { source: "pr-42", target: "prod", volumes: { assets: "replace", pgdata: "keep" } },
    ],
    ["rollback prod", "rollback", { namespace: "prod" }],
    ["rollback prod --to 412 --volumes all", "rollback", { namespace: "prod", to: "412", volumes: "all" }],
    [
      "rollback prod --to 01m849jk --volumes pgdata,assets",
      "rollback",
      { namespace: "prod", to: "01m849jk", volumes: ["pgdata", "assets"] },
    ],
    ["restart prod/web prod/db", "restart", { namespace: "prod", services: ["web", "db"] }],
    ["stop prod/web", "stop", { namespace: "prod", services: ["web"] }],
    ["start prod/web", "start", { namespace: "prod", services: ["web"] }],
    ["route maintenance prod on", "maintenance", { namespace: "prod", on: true }],
    ["route maintenance prod/web off", "maintenance", { namespace: "prod", services: ["web"], on: false }],
    ["scale prod/web=5 worker=2", "scale", { namespace: "prod", replicas: { web: 5, worker: 2 } }],
    ["migrate apply prod/db --to m3", "migrate", { namespace: "prod", service: "db", to: "m3" }],
    [
      "migrate apply prod/db --to m3 --max-rounds 3 --max-downtime 500ms --rate 50M",
      "migrate",
      {
        ...{ namespace: "prod", service: "db", to: "m3", maxRounds: 3, maxDowntimeMs: 500 },
        bytesPerSecond: 50 * 2 ** 20,
      },
    ],
    [
      "volume create prod/pgdata --machine m2 --quota 20G --recordsize 16K --scope shared",
      "volume-create",
      {
        ...{ namespace: "prod", volume: "pgdata", machine: "m2", scope: "shared" },
        ...{ quotaBytes: 20 * 2 ** 30, recordsizeBytes: 16_384 },
      },
    ],
    [
      "volume fork prod/pgdata stats/data --to m3",
      "volume-fork",
      {
        source: { namespace: "prod", volume: "pgdata" },
        target: { namespace: "stats", volume: "data" },
        machine: "m3",
      },
    ],
    [
      "volume restore prod/pgdata 01m849jkmjkjnhp441c7vf0z2q",
      "volume-restore",
      { namespace: "prod", volume: "pgdata", snapshot: "01m849jkmjkjnhp441c7vf0z2q" },
    ],
    ["namespace rm pr-42 --yes", "namespace-rm", { namespace: "pr-42" }],
    ["volume rm prod/old -y", "volume-rm", { namespace: "prod", volume: "old" }],
  ])("%s", async (line, primitive, input) => {
    const { code, out } = await run(line.split(" "));
    expect({ code, out }).toEqual({ code: 0, out: "done (revision 9, 1.2 s)\n" });
    expect(asked()).toEqual([{ primitive, input, mode: "apply", by: "me@here" }]);
  });

  it.each([
    "branch preview prod pr-42",
    "branch apply prod pr-42 -n",
    "promote pr-42 prod -n",
    "rollback prod --preview",
    "restart prod/web -n",
    "scale prod/web=5 -n",
    "route maintenance prod on -n",
    "migrate preview prod/db --to m3",
    "migrate apply prod/db --to m3 -n",
    "volume create prod/x --machine m1 -n",
    "volume fork prod/a prod/b -n",
    "volume restore prod/a snap -n",
    "volume rm prod/a -n",
    "namespace rm prod -n",
  ])("only a preview for: %s", async (line) => {
    const { code, out } = await run(line.split(" "));
    expect(code).toBe(0);
    expect(out).toContain("nothing has changed yet");
    expect(out).toContain("warning: data stays for its clone");
    expect(asked().map(({ mode }) => mode)).toEqual(["preview"]);
  });
});

describe("a prepared branch", () => {
  it("is kept by the daemon, and named", async () => {
    const { code, out } = await run(["branch", "prepare", "prod", "pr-42"]);
    expect(code).toBe(0);
    expect(out).toContain(
      `stored until 2026-01-02T00:00:00Z; apply it: ployzctl branch apply-prepared ${ID}`,
    );
    expect(asked()).toMatchObject([{ mode: "prepare", input: { source: "prod", target: "pr-42" } }]);
  });

  it("is applied by its name alone", async () => {
    const { code, out } = await run(["branch", "apply-prepared", ID.toLowerCase()]);
    expect({ code, out }).toEqual({ code: 0, out: "done (revision 9, 1.2 s)\n" });
    expect(asked()).toEqual([
      { primitive: "branch", input: null, mode: "apply", prepared: ID, by: "me@here" },
    ]);
  });
});

describe("what may lose data", () => {
  it.each(["migrate prod/db --to m3 --from-standby", "machine rm m2 --force --from-standby"])(
    "%s -n shows the plan, and each loss that is not accepted",
    async (line) => {
      risked = ["prod/pgdata", "prod/files"];
      const shown = await run([...line.split(" "), "-n"]);
      expect(shown.code).toBe(3);
      expect(shown.out).toContain("volume pgdata on m2 is removed");
      for (const volume of risked) {
        expect(shown.out).toContain(`needs confirmation: ${volume}: later writes are on m2 only`);
        expect(shown.out).toContain(`--accept-loss ${volume}`);
      }
      expect(asked().map(({ mode }) => mode)).toEqual(["preview", "preview"]);
      const flag = line.startsWith("migrate") ? "--accept-loss" : "--lose";
      const some = await run([...line.split(" "), flag, "prod/files", "-n", "--json"]);
      expect(JSON.parse(some.out)).toMatchObject({
        kind: "plan",
        unconfirmed: [{ details: { volume: "prod/pgdata" } }],
      });
      const all = await run([...line.split(" "), flag, "prod/files", flag, "prod/pgdata", "-n", "--json"]);
      expect(all.code).toBe(0);
      expect(JSON.parse(all.out)).not.toHaveProperty("unconfirmed");
    },
  );

  it("is refused when it is applied by a script, and asked for at a terminal", async () => {
    risked = ["prod/pgdata"];
    const argv = "migrate prod/db --to m3 --from-standby".split(" ");
    expect((await run(argv)).code).toBe(3);
    expect(asked().map(({ mode }) => mode)).toEqual(["preview"]);
    expect((await run(argv, { typed: ["y"] })).code).toBe(0);
    expect(asked().at(-1)).toMatchObject({ mode: "apply", input: { acceptLoss: ["prod/pgdata"] } });
  });
});

it("the result of a move shows the downtime and the copied bytes", async () => {
  output = {
    ...summary,
    services: [{ name: "db", change: "repair", fields: [], instances: [], downtimeMs: 2340 }],
    volumes: [
      {
        ...{ name: "pgdata", action: "move", from: "m2", machine: "m3", spec: { scope: "single" } },
        ...{ transferBytes: 2 ** 30, copied: { bytes: 700 * 2 ** 20, lastBytes: 2 ** 20 } },
      },
    ],
  };
  const { out } = await run(["migrate", "apply", "prod/db", "--to", "m3"]);
  expect(out).toBe(
    `~ service db (instances replaced) (down for 2.3 s)
~ volume pgdata: from m2 to m3 (copied 700M, of which 1.0M during the downtime)
done (revision 9, 1.2 s)
`,
  );
});

it.each([
  ["branch apply-prepared x", "PLAN"],
  ["branch apply prod Pr_42", "TARGET"],
  ["branch apply prod pr-42 --volume pgdata=clone", "--volume"],
  ["branch apply prod pr-42 --volume pgdata", "--volume"],
  ["branch apply prod pr-42 --service web=skip --service web=branch", "--service"],
  ["branch apply prod pr-42 --route =x", "--route"],
  ["branch apply prod pr-42 --to M2", "--to"],
  ["branch apply prod pr-42 --volume-mode full", "--volume-mode"],
  ["promote pr-42 prod --volume a=branch", "--volume"],
  ["rollback prod --to x;y", "--to"],
  ["rollback prod --volumes all,", "--volumes"],
  ["scale web=5", "COUNTS"],
  ["route maintenance prod maybe", "maybe"],
  ["route maintenance PROD on", "TARGET"],
  ["scale prod/web=1001", "from 1 to 1000"],
  ["scale prod/web=0", "ployzctl stop"],
  ["scale prod/web=2 web=3", "given twice"],
  ["migrate apply prod --to m3", "SERVICE"],
  ["migrate apply prod/db", "--to"],
  ["migrate apply prod/db --to m3 --max-rounds 0", "--max-rounds"],
  ["migrate apply prod/db --to m3 --max-downtime soon", "--max-downtime"],
  ["migrate apply prod/db --to m3 --rate fast", "--rate"],
  ["volume create prod/x", "--machine"],
  ["volume create prod/x --machine m1 --quota 20", "--quota"],
  ["volume create prod/x --machine m1 --recordsize 3K", "--recordsize"],
  ["volume fork prod/a b", "TARGET"],
  ["volume restore prod/a ../x", "SNAPSHOT"],
  ["volume rm prod --yes", "VOLUME"],
  ["namespace rm a/b --yes", "NAMESPACE"],
  ["show prod@x", "COMMIT"],
])("%s is refused before anything is sent, naming the field: exit code 2", async (line, field) => {
  const { code, err } = await run(line.split(" "));
  expect(code).toBe(2);
  expect(err).toContain(`${field}`);
  expect(daemon.received).toEqual([]);
});

describe.each([
  ["namespace rm prod", "Remove the namespace prod?"],
  ["volume rm prod/pgdata", "Remove the volume prod/pgdata?"],
])("%s asks", (line, question) => {
  it("after it has shown the plan, and applies it on a yes", async () => {
    const { code, err } = await run(line.split(" "), { typed: ["y"] });
    expect(code).toBe(0);
    expect(err).toContain("- service web");
    expect(err).toContain("warning: data stays for its clone");
    expect(err).toContain(`${question} [y/N]`);
    expect(asked().map(({ mode }) => mode)).toEqual(["preview", "apply"]);
  });

  it("and changes nothing on a no (130), or without a terminal (2)", async () => {
    expect((await run(line.split(" "), { typed: [""] })).code).toBe(130);
    const alone = await run(line.split(" "));
    expect(alone.code).toBe(2);
    expect(alone.err).toContain("--yes");
    expect((await run([...line.split(" "), "--json"], { typed: ["y"] })).code).toBe(2);
    expect(asked().every(({ mode }) => mode === "preview")).toBe(true);
  });

  it("but not when there is nothing to change", async () => {
    changes = false;
    const { code, out } = await run(line.split(" "));
    expect(code).toBe(0);
    expect(out).toContain("nothing to change");
  });
});
