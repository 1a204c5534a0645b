import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeDaemon, failure, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

const row = {
  ...{ namespace: "prod", name: "db-url", state: "set", version: "v2", private: false },
  ...{ at: "2026-01-01T00:00:00Z", by: "me@here", users: ["prod/web"], outdated: ["prod.web.1.x"] },
};
const set = {
  ...{ kind: "secret-set", namespace: "prod", name: "db-url", changed: true },
  ...{ users: ["prod/web"], outdated: ["prod.web.1.x"] },
};

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await fakeDaemon({
    "PUT /v1/secrets/prod/db-url": () => set,
    "GET /v1/secrets": () => ({
      kind: "secrets",
      secrets: [row, { ...row, name: "old", state: "lost", users: [], outdated: [], private: true }],
    }),
    "DELETE /v1/secrets/prod/db-url": () => failure("secret_in_use", "prod/db-url is used by prod/web"),
    "DELETE /v1/secrets/prod/old": () => ({ ...set, kind: "secret-removed", name: "old", users: [] }),
  });
});
afterEach(() => daemon.close());

const run = (words: string, options: Parameters<typeof ctl>[1] = {}) =>
  ctl(["--socket", daemon.socket, ...words.split(" ")], options);
const sent = () => daemon.received.map(({ body }) => JSON.parse(body) as unknown);

describe("secret set", () => {
  it("sends stdin without its last newline, and prints it nowhere", async () => {
    const { code, out, err } = await run("secret set prod/db-url", { stdin: "hunter2\n\n" });
    expect(code).toBe(0);
    expect(sent()).toEqual([{ value: "hunter2\n", private: false, by: "me@here" }]);
    expect(out).toContain("set prod/db-url");
    expect(out).toContain("prod.web.1.x still has the old value");
    expect(out + err).not.toContain("hunter2");
  });

  it("takes a line that is typed at a terminal", async () => {
    const { code, out, err } = await run("secret set prod/db-url --no-branch", { typed: ["hunter2"] });
    expect(code).toBe(0);
    expect(sent()).toEqual([{ value: "hunter2", private: true, by: "me@here" }]);
    expect(err).toContain("value of prod/db-url (not shown)");
    expect(out + err).not.toContain("hunter2");
  });

  it.each([
    ["secret set prod/db-url", "", "the value is empty"],
    ["secret set prod/db-url", Buffer.from([0x66, 0xff]), "the value on stdin is not UTF-8 text"],
    ["secret set prod/db-url", "x".repeat(40_000), "the value on stdin is longer than 32770 bytes"],
    ["secret set db-url", "x", 'SECRET: "db-url" is not NAMESPACE/NAME'],
    ["secret set prod/DB", "x", "DB"],
    ["secret set prod/db-url hunter2", "", "hunter2"],
  ])("%s with %.10s: exit code 2, and nothing is sent", async (words, stdin, says) => {
    const { code, err } = await run(words, { stdin });
    expect(code).toBe(2);
    expect(err).toContain(says);
    expect(daemon.received).toEqual([]);
  });
});

it("secret ls shows who uses a secret, who has an old value, and lost values", async () => {
  const { out } = await run("secret ls");
  expect(out).toMatch(/prod\/db-url +set +.* +me@here +yes +prod\/web +prod\.web\.1\.x/);
  expect(out).toMatch(/prod\/old +lost +.* no +- +-/);
  expect(out).toContain("ployzctl secret set prod/old");
  expect(JSON.parse((await run("secret ls --json")).out)).toMatchObject({
    kind: "secrets",
    secrets: [row, {}],
  });
});

it("secret rm is refused while something uses it", async () => {
  expect(await run("secret rm prod/db-url")).toMatchObject({
    code: 3,
    err: expect.stringContaining("prod/db-url is used by prod/web"),
  });
  expect(await run("secret rm prod/old")).toMatchObject({
    code: 0,
    out: expect.stringContaining("removed prod/old"),
  });
});
