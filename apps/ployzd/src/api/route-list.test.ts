import type { Commit } from "@ployz/primitives/protocol";
import { expect, it } from "vitest";
import { routeId } from "../follower/project.ts";
import { routeList } from "./route-list.ts";

const route = { kind: "http", host: "a.test", path: "/", service: "web", port: "http" } as const;
const head = { commit: { namespace: "prod", routes: [route] } as unknown as Commit, revision: 7 };
const id = routeId("prod", route);

it.each([
  ["the last commit", { applied: { prod: 7 }, dropped: [] }, { served: "yes" }],
  ["an earlier commit", { applied: { prod: 6 }, dropped: [] }, { served: "earlier" }],
  ["none of the namespace", { applied: {}, dropped: [] }, { served: "earlier" }],
  [
    "all but this route",
    { applied: { prod: 7 }, dropped: [`${id} (another program uses TCP port 80)`] },
    { served: "no", why: "another program uses TCP port 80" },
  ],
  ["nothing that can be asked", undefined, { served: "unknown" }],
])("a gateway that serves %s", (_, gateway, expected) => {
  expect(routeList("m1", [head], gateway)).toEqual({
    kind: "routes",
    machine: "m1",
    routes: [{ ...route, namespace: "prod", revision: 7, ...expected }],
  });
});

it("a removed namespace has no routes", () => {
  const removed = { ...head, commit: { ...head.commit, removed: true as const } };
  expect(routeList("m1", [removed], undefined).routes).toEqual([]);
});
