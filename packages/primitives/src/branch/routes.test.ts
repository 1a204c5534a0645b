import { expect, test } from "vitest";
import type { RouteSpec } from "../model/commit.ts";
import { branchedRoutes } from "./routes.ts";

test("a redirect between hosts of the source is one between hosts of the branch", () => {
  const to = (host: string, target: string): RouteSpec => ({
    ...{ kind: "http", host, path: "/", redirect: { to: target, status: 308 } },
  });
  const options = { allow: ["10.0.0.0/8"] };
  const www: RouteSpec = { kind: "http", host: "www.a.test", path: "/", port: "http", options };
  const { routes } = branchedRoutes(
    "pr-1",
    [
      to("a.test", "https://www.a.test"),
      to("b.test", "https://www.a.test/x?y"),
      to("c.test", "https://elsewhere.test"),
      to("d.test", "/x"),
      www,
    ],
    { "b.test": "own.test" },
  );
  expect(routes).toEqual([
    to("pr-1--a.test", "https://pr-1--www.a.test"),
    to("own.test", "https://pr-1--www.a.test/x?y"),
    to("pr-1--c.test", "https://elsewhere.test"),
    to("pr-1--d.test", "/x"),
    { ...www, host: "pr-1--www.a.test" },
  ]);
});
