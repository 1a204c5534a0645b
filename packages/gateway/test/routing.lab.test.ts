import fc from "fast-check";
import { expect, it } from "vitest";
import { chooseRoute, type Route, type RouteTable, validateTable } from "../src/index.ts";
import { plainPath } from "../src/path.ts";
import { openLab, serverOf } from "./lab.ts";
import { fetchVia } from "./load.ts";

const label = fc.constantFrom("a", "b", "x-1", "com", "io");
const host = fc
  .tuple(fc.constantFrom("", "*."), fc.array(label, { minLength: 1, maxLength: 3 }))
  .map(([wild, labels]) => wild + labels.join("."));
const segment = fc.oneof(
  fc.constantFrom(
    "api",
    "apix",
    "v1",
    "x;y",
    "a'b",
    "$c",
    "(d)",
    "e%20f",
    "g&h=i",
    "~j",
    "@k,l",
    "*",
    "A",
    "%61pi",
    "v%31",
    "api;x",
  ),
  fc.stringMatching(/^[a-zA-Z0-9._~!$&'()*+,;=:@-]{1,6}$/),
);
const path = fc
  .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean())
  .map(([segments, slash]) => `/${segments.join("/")}${slash && segments.length > 0 ? "/" : ""}`);

it("routes as the reference does, for random tables and requests, on a real HAProxy", async () => {
  const lab = await openLab();
  // The name in the answer identifies the backend.
  const upstreams = await Promise.all(Array.from({ length: 6 }, (_, index) => lab.upstream(`r${index}`)));
  const routable = path.filter((one) => !one.includes(";") && plainPath(one) !== undefined);
  const tables = fc.uniqueArray(fc.tuple(host, routable), {
    minLength: 1,
    maxLength: 24,
    selector: ([h, p]) => `${h}${plainPath(p)?.replace(/\/+$/, "")}`,
  });
  const requests = fc.array(fc.tuple(host, path, fc.boolean()), { minLength: 10, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(tables, requests, async (pairs, asks) => {
      const routes = pairs.map(([routeHost, routePath], index): Route => {
        const port = upstreams[index % upstreams.length]?.port ?? 0;
        return {
          kind: "http",
          id: `route-${index}`,
          host: routeHost,
          path: routePath,
          backend: { id: `b${index % upstreams.length}`, servers: [serverOf({ name: "s", port })] },
        };
      });
      const table: RouteTable = { version: "x", routes };
      expect(validateTable(table)).toEqual([]);
      await lab.gateway.apply(table);
      for (const [askHost, askPath, upper] of [
        ...asks,
        ...pairs.map(([h, p]) => [h, `${p}/more`, false] as const),
      ]) {
        const name = askHost.replace("*", "any");
        const expected = chooseRoute(table, name, askPath);
        const answer = await fetchVia(lab.port, {
          host: upper ? `${name.toUpperCase()}:80` : name,
          path: askPath,
        });
        const context = `${name}${askPath}`;
        if (expected === "ambiguous") expect(answer.status, context).toBe(400);
        else if (!expected || expected.kind === "redirect") expect(answer.status, context).toBe(404);
        else
          expect((JSON.parse(answer.body) as { name: string }).name, context).toBe(
            `r${expected.backend.id.slice(1)}`,
          );
      }
    }),
    { numRuns: 25 },
  );
  expect((await lab.gateway.status()).difference).toBeUndefined();
});
