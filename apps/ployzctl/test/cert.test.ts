import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { Events, type FakeDaemon, fakeDaemon, type Received } from "./daemon.ts";
import { ctl } from "./run.ts";

const row = (name: string, state: "valid" | "due") => ({
  ...{ name, names: [name], issuer: "ca", fingerprint: `f-${name}`, method: "http-01", state, users: [] },
  ...{ notBefore: "2026-01-01T00:00:00Z", notAfter: "2026-04-01T00:00:00Z" },
  ...{ at: "2026-01-01T00:00:00Z", by: "me@here" },
});
const planOf = (names: readonly string[]) => ({
  ...{
    kind: "plan",
    primitive: "cert-issue",
    hash: "h",
    changes: true,
    warnings: [],
    prepare: [],
    settle: [],
  },
  summary: { kind: "cert-issue", certificate: names[0], names },
});

let daemon: FakeDaemon;
let rows: readonly unknown[];
/** Names whose renewal is refused. */
let refused: readonly string[];
beforeEach(async () => {
  rows = [row("a.test", "due"), row("b.test", "due"), row("c.test", "valid")];
  refused = [];
  daemon = await fakeDaemon({
    "GET /v1/certificates": () => ({ kind: "certificates", certificates: rows }),
    "POST /v1/operations": ({ body }: Received) => {
      const { input, mode } = JSON.parse(body);
      if (refused.includes(input.names[0]))
        return new Events([
          { type: "refused", refusals: [{ code: "certificate_missing", message: `no ${input.names[0]}` }] },
        ]);
      const plan = planOf(input.names);
      const result = {
        ...{ kind: "operation", operation: "01M849JKMJKJNHP441C7VF0Z2Q", primitive: "cert-issue" },
        ...{ state: "done", changed: true, output: plan.summary, owed: [], warnings: [], ms: 1 },
      };
      return new Events([
        { type: "plan", plan },
        ...(mode === "preview" ? [] : [{ type: "result", result }]),
      ]);
    },
  });
});
afterEach(() => daemon.close());
const cert = (...argv: string[]) => ctl(["--socket", daemon.socket, "cert", ...argv]);
const asked = () => daemon.received.filter(({ body }) => body !== "").map(({ body }) => JSON.parse(body));

describe("cert import", () => {
  const dir = mkdtempSync(join(tmpdir(), "cert-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  it.each([
    ["is served", "done", true, 0],
    ["was there already", "done", false, 1],
    ["failed", "failed", true, 1],
    ["is refused", "refused", false, 1],
  ])("an upload that %s stays, or is forgotten: %s, changed %s", async (_, state, changed, forgotten) => {
    const files = ["chain.pem", "key.pem"].map((name) => join(dir, name));
    for (const file of files) writeFileSync(file, "PEM");
    const deleted: string[] = [];
    const result = {
      ...{
        kind: "operation",
        operation: "01M849JKMJKJNHP441C7VF0Z2Q",
        primitive: "cert-import",
        state,
        changed,
      },
      ...{
        output: { kind: "cert-import", certificate: "a.test", names: ["a.test"] },
        owed: [],
        warnings: [],
        ms: 1,
      },
      ...(state === "failed" && { error: { code: "interrupted", message: "failed" } }),
    };
    const refusal = { type: "refused", refusals: [{ code: "certificate_missing", message: "no" }] };
    const taking = await fakeDaemon({
      "POST /v1/certificates": () => ({ kind: "certificate-upload", sealed: "u1" }),
      "DELETE /v1/certificates/u1": ({ route }: Received) => {
        deleted.push(route);
        return { kind: "removed" };
      },
      "POST /v1/operations": () => new Events([state === "refused" ? refusal : { type: "result", result }]),
    });
    const [chain = "", key = ""] = files;
    await ctl(["--socket", taking.socket, "cert", "import", "a.test", "--cert", chain, "--key", key]);
    await taking.close();
    expect(deleted).toHaveLength(forgotten);
  });
});

describe("cert renew", () => {
  it("renews those that are due, and only previews with -n", async () => {
    expect((await cert("renew", "--all")).code).toBe(0);
    expect(asked().map(({ mode, input }) => [mode, input])).toEqual([
      ["apply", { names: ["a.test"], replaces: "f-a.test" }],
      ["apply", { names: ["b.test"], replaces: "f-b.test" }],
    ]);
    daemon.received.length = 0;
    const preview = await cert("renew", "--all", "-n", "--json");
    expect(JSON.parse(preview.out).certificates.map(({ name }: { name: string }) => name)).toEqual([
      "a.test",
      "b.test",
    ]);
    expect(JSON.parse((await cert("renew", "a.test", "-n", "--json")).out).kind).toBe("plan");
    expect(new Set(asked().map(({ mode }) => mode))).toEqual(new Set(["preview"]));
  });

  it.each([[["--all"]], [["--all", "-n"]]])(
    "tells a refusal, after the others were tried: %j",
    async (argv) => {
      refused = ["a.test"];
      const { code, err } = await cert("renew", ...argv);
      expect([code, err]).toEqual([3, expect.stringContaining("no a.test")]);
      expect(asked().map(({ input }) => input.names[0])).toEqual(["a.test", "b.test"]);
    },
  );

  it("says that nothing is due", async () => {
    const { code, err } = await cert("renew", "c.test");
    expect([code, err]).toEqual([0, expect.stringContaining("--force renews it")]);
    expect(asked()).toEqual([]);
  });
});

it.each([
  [["renew"], "pass --all"],
  [["renew", "a.test", "--all"], "exclude each other"],
  [["issue", "10.0.0.1"], "NAME: 10.0.0.1 is an address"],
  [["issue", "[2001:db8::1]"], "is an address"],
  [["issue", ""], "is not a host name"],
  [["account", "set", "--eab-kid", "x"], "--eab-key-stdin"],
])("refused before anything is sent: %j", async (argv, text) => {
  const { code, err } = await cert(...argv);
  expect([code, err, daemon.received]).toEqual([2, expect.stringContaining(text), []]);
});
