import { expect, it } from "vitest";
import { edgesOf } from "./network-policy.ts";

const service = (allowFrom?: readonly string[]) =>
  ({ revision: "", spec: { ...(allowFrom && { allowFrom }) } }) as never;
const prod = { namespace: "prod", services: { db: service(["pr-*", "gw:web", "later"]), web: service() } };
const branch = { namespace: "pr-42", services: { web: service() } };
const gw = { namespace: "gw", services: { web: service(), other: service() } };

it("lists what a namespace always reaches, and what others open to it", () => {
  const edges = edgesOf([prod, branch, gw], "on");
  const to = (from: string) => edges.filter((edge) => edge.from === from).map((edge) => edge.to);
  expect(to("prod")).toEqual(["prod", "gateways", "dns", "outside"]);
  expect(to("pr-42")).toEqual(["pr-42", "gateways", "dns", "outside", "prod/db"]);
  expect(to("gw")).not.toContain("prod/db");
  expect(to("gw/web")).toEqual(["prod/db"]);
  expect(edges.find((edge) => edge.from === "pr-42" && edge.to === "prod/db")?.why).toBe(
    'allow_from = ["pr-*"]',
  );
  expect(edges.find((edge) => edge.from === "later")?.why).toContain("nothing runs under that name");
});

it("without isolation everything reaches everything", () => {
  expect(edgesOf([prod], "off")).toMatchObject([{ from: "*", to: "*" }]);
});
