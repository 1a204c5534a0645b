import { compare } from "bcryptjs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Events, type FakeDaemon, failure, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

const ID = "01M849JKMJKJNHP441C7VF0Z2Q";
let daemon: FakeDaemon;
let secrets: { namespace: string; name: string }[];
let state: string;
beforeEach(async () => {
  secrets = [{ namespace: "prod", name: "preview-users" }];
  state = "done";
  daemon = await fakeDaemon({
    "GET /v1/secrets": () => ({ kind: "secrets", secrets }),
    "PUT /v1/secrets/pr-1/preview-users": () => ({ kind: "secret-set" }),
    "DELETE /v1/secrets/pr-1/preview-users": () => failure("secret_in_use", "it is used"),
    "POST /v1/operations": () =>
      new Events([
        {
          type: "result",
          result: {
            ...{ kind: "operation", operation: ID, primitive: "branch", state, changed: state === "done" },
            ...{ output: null, owed: [], warnings: [], ms: 12 },
          },
        },
      ]),
  });
});
afterEach(() => daemon.close());

const run = (words: string) => ctl(["--socket", daemon.socket, ...words.split(" ")]);
const sent = () =>
  daemon.received.map(({ route, body }) => ({
    method: route.split(" ")[0],
    body: body === "" ? undefined : (JSON.parse(body) as object),
  }));

describe("branch --private", () => {
  it("makes a password, shows it once, and commits only the name of the secret", async () => {
    for (const json of ["", " --json", " -q"]) {
      daemon.received.length = 0;
      const { out, err } = await run(`branch prod pr-1 --private${json}`);
      const [, put, post] = sent();
      const password = /user preview, password (\S+) /.exec(err)?.[1] ?? "";
      expect(password).toMatch(/^[A-Za-z0-9_-]{22}$/);
      expect(out).not.toContain(password);
      const [user, hash] = ((put?.body ?? { value: "" }) as { value: string }).value.split(":");
      expect(user).toBe("preview");
      expect(await compare(password, hash ?? "")).toBe(true);
      expect(post?.body).toMatchObject({ input: { source: "prod", target: "pr-1", users: "preview-users" } });
      expect(JSON.stringify(post)).not.toContain(hash);
      expect(sent()).toHaveLength(3);
    }
  });

  it("leaves no secret behind when nothing is committed, and none is made for a preview", async () => {
    state = "failed";
    const { err } = await run("branch prod pr-1 --private");
    expect(err).not.toContain("password");
    expect(sent().map(({ method }) => method)).toEqual(["GET", "PUT", "POST", "DELETE"]);
    daemon.received.length = 0;
    await run("branch prod pr-1 --private -n");
    expect(sent().map(({ method }) => method)).toEqual(["GET", "POST"]);
  });

  it("takes the secret that is named, or that the branch has already", async () => {
    await run("branch prod pr-1 --private --users team");
    expect(sent()).toEqual([
      {
        method: "POST",
        body: expect.objectContaining({ input: expect.objectContaining({ users: "team" }) }),
      },
    ]);
    daemon.received.length = 0;
    secrets = [{ namespace: "pr-1", name: "preview-users" }];
    const { err } = await run("branch prod pr-1 --private");
    expect(err).not.toContain("password");
    expect(sent().map(({ method }) => method)).toEqual(["GET", "POST"]);
  });

  it.each([
    ["branch prod pr-1 --users team", "--users is for --private only"],
    ["branch prod pr-1 --private --users Team", "--users"],
    ["branch prepare prod pr-1 --private", "needs --users"],
  ])("%s: exit code 2", async (words, says) => {
    const { code, err } = await run(words);
    expect(code).toBe(2);
    expect(err).toContain(says);
    expect(sent()).toEqual([]);
  });
});
