import { expect, test } from "vitest";
import { normalise } from "../manifest/normalise.ts";
import { parseManifest } from "../manifest/parse.ts";
import { type Commit, emptyCommit } from "../model/commit.ts";
import { refuseRemovals } from "./removals.ts";

const route = (host: string) => ({ kind: "http" as const, host, path: "/", port: "http", service: "web" });
const commit = {
  ...emptyCommit({ namespace: "prod", operation: "OP", primitive: "deploy", at: "", by: "" }),
  services: { web: { revision: "r" }, api: { revision: "r" } },
  routes: [route("a.test"), route("b.test")],
} as unknown as Commit;

const refusals = (toml: string, over: Partial<Commit> = {}) => {
  const parsed = parseManifest(`namespace = "prod"\n${toml}`, "toml");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusals));
  return refuseRemovals(normalise(parsed.manifest), { revision: 3, commit: { ...commit, ...over } });
};
const service = (name: string, more = "") =>
  `[services.${name}]\nimage = "app"\nports = { http = 80 }\n${more}\n`;
const routed = (...hosts: readonly string[]) =>
  `routes = [${hosts.map((host) => `{ host = "${host}", port = "http" }`).join(", ")}]`;

test("what a manifest leaves out of the last commit is named", () => {
  const [refusal] = refusals(service("web", routed("b.test", "c.test")));
  expect(refusal).toMatchObject({
    code: "would_remove",
    message: "this deploy removes from prod: service api, route http a.test/",
    details: { services: ["api"], routes: ["http a.test/"] },
  });
});

test("a route that another service takes over, and a port that changes, are no removal", () => {
  const moved = service("web") + service("api", routed("a.test", "b.test"));
  expect(refusals(moved)).toEqual([]);
});

test("nothing is removed from a namespace that is gone or new", () => {
  expect(refusals(service("new"), { removed: true })).toEqual([]);
  const parsed = parseManifest(`namespace = "prod"\n${service("new")}`, "toml");
  expect(parsed.ok && refuseRemovals(normalise(parsed.manifest), undefined)).toEqual([]);
});
