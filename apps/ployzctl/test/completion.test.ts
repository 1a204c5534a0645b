import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AWAY_MS } from "../src/completion/names.ts";
import { type FakeDaemon, failure, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

const names = {
  kind: "names",
  machines: ["m1", "m2", "m10"],
  namespaces: [
    { namespace: "prod", services: ["web", "db"], volumes: ["pgdata"] },
    { namespace: "pr-42", services: ["web"], volumes: [] },
  ],
};
const operations = [{ operation: "01M849JKMJKJNHP441C7VF0Z2Q", title: "deploy prod", state: "done" }];

let daemon: FakeDaemon;
beforeAll(async () => {
  daemon = await fakeDaemon({
    "GET /v1/names": () => names,
    "GET /v1/operations": () => ({ kind: "operations", operations }),
    "GET /v1/invites": () => failure("store_unavailable", "no quorum"),
  });
  await complete("machine drain "); // loads the code, which a deadline would count
});
afterAll(() => daemon.close());

const complete = async (line: string, socket = daemon.socket) => {
  const { code, out, err } = await ctl(["__complete", ...line.split(" ")], { env: { PLOYZ_SOCKET: socket } });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out.split("\n").filter((row) => row !== "");
};
const values = async (line: string) => (await complete(line)).map((row) => row.split("\t")[0]);

describe("candidates", () => {
  it.each([
    ["mach", ["machine"]],
    ["machine st", ["standby", "storage"]],
    ["machine storage ", ["promote", "demote"]],
    ["network jo", ["join"]],
    ["--plain machine ls --js", ["--json"]],
    ["machine drain ", ["m1", "m2", "m10"]],
    ["machine drain m1 ", []],
    ["machine update m1 m1", ["m1", "m10"]],
    ["logs prod/", ["prod/web", "prod/db"]],
    ["ps pr-", ["pr-42", "pr-42/web"]],
    ["volume show ", ["prod/pgdata"]],
    ["volume list ", ["prod", "pr-42"]],
    ["branch p", ["preview", "prepare", "prod", "pr-42"]],
    ["branch prod p", ["prod", "pr-42"]],
    ["branch apply ", ["prod", "pr-42"]],
    ["branch preview prod x --volume-mode ", ["branch", "fresh"]],
    ["migrate prod/db --to m1", ["m1", "m10"]],
    ["migrate prod/db --to=m2", ["--to=m2"]],
    ["daemon install --runtime=", ["--runtime=docker", "--runtime=host"]],
    ["migrate --to m2 prod/d", ["prod/db"]],
    ["branch prod x --to m2 --t", ["--timeout"]],
    ["branch prod x --service a=skip --serv", ["--service-mode", "--service"]],
    ["ops show ", ["01M849JKMJKJNHP441C7VF0Z2Q"]],
    ["completion ", ["bash", "zsh", "fish"]],
    ["deploy -f ", [":files"]],
    ["deploy service web -- ", []],
    ["machine invite revoke ", []],
    ["bogus ", []],
  ])("%s -> %j", async (line, expected) => {
    expect(await values(line)).toEqual(expected);
  });

  it("have their summaries", async () => {
    expect(await complete("rollb")).toEqual([
      "rollback\tRoll back to an earlier commit (data only with --volumes)",
    ]);
    expect(await complete("ops show ")).toEqual(["01M849JKMJKJNHP441C7VF0Z2Q\tdone: deploy prod"]);
  });

  it("are those of this machine's cluster only", async () => {
    expect(await values("machine drain -H root@m2 ")).toEqual([]);
    expect(await values("machine drain --host=root@m2 ")).toEqual([]);
  });
});

describe("with the daemon away, silent and at once", () => {
  it("when there is no socket", async () => {
    expect(AWAY_MS).toBeLessThan(150);
    // Far below every other deadline, however busy this machine is.
    const before = performance.now();
    expect(await complete("machine drain ", "/nonexistent/d.sock")).toEqual([]);
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it("when nothing listens, and when it hangs", async () => {
    const dir = await mkdtemp(join(tmpdir(), "ployz-complete-"));
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(join(dir, "d.sock"), resolve));
    try {
      const before = performance.now();
      expect(await complete("machine drain ", join(dir, "d.sock"))).toEqual([]);
      expect(performance.now() - before).toBeLessThan(1_000);
      expect(await complete("branch p", join(dir, "d.sock"))).toHaveLength(2);
    } finally {
      silent.close();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

it.each(["bash", "zsh", "fish"])("the script of %s asks __complete", async (shell) => {
  const { code, out } = await ctl(["completion", shell]);
  expect(code).toBe(0);
  expect(out).toContain("ployzctl __complete");
});
