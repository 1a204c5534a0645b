import { expect, test } from "vitest";
import type { ContainerSpec, RouteSpec } from "../../model/commit.ts";
import { FEATURES } from "../../model/features.ts";
import type { ChangeFacts, MachineFact } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";
import { refuseFeatures } from "./features.ts";

const route = (more: object = {}): RouteSpec => ({
  kind: "http",
  host: "a.test",
  path: "/",
  port: "http",
  ...more,
});
const machine = (id: string, features: readonly string[] | undefined, version = "0.5.0"): MachineFact =>
  ({
    record: { id, version },
    observation: { version, ...(features && { features }) },
  }) as unknown as MachineFact;
const silent = (id: string, version: string): MachineFact =>
  ({ record: { id, version } }) as unknown as MachineFact;

function refused(
  routes: readonly RouteSpec[],
  machines: readonly MachineFact[],
  {
    had = [],
    maintenance = false,
    container = {},
    jobs = {},
  }: {
    readonly had?: readonly RouteSpec[];
    readonly maintenance?: boolean;
    readonly container?: ContainerSpec;
    readonly jobs?: object;
  } = {},
): readonly string[] {
  const services = {
    web: { revision: "", spec: { routes, container }, ...(maintenance && { maintenance: true }) },
  };
  const head = {
    commit: { routes: had.map((one) => ({ ...one, service: "web" })), services: {} },
    revision: 1,
  };
  const facts = { machines, head } as unknown as ChangeFacts;
  return refuseFeatures({ services, jobs } as unknown as Desired, facts).map(({ code, message, hint }) => {
    expect(code).toBe("machine_outdated");
    return `${message} / ${hint}`;
  });
}

test("an option is refused while a machine does not say that it knows it, naming option and machines", () => {
  const options = { allow: ["10.0.0.0/8"], basicAuth: { secret: "team" } };
  const all = [machine("m1", FEATURES), machine("m2", undefined, "0.4.0"), machine("m3", ["allow"])];
  expect(refused([route({ options })], all)).toEqual([
    "services.web: m2, m3 would ignore allow, basic_auth: the version of Ployz there is too old / update them first: ployzctl machine update m2 m3",
  ]);
  expect(refused([route({ options })], [machine("m1", FEATURES)])).toEqual([]);
  expect(refused([route()], all)).toEqual([]);
});

test.each([
  ["tls", route({ tls: true })],
  ["redirect", route({ redirect: { to: "https://b.test", status: 308 } })],
  ["log", route({ options: { log: true } })],
])("%s is one of them", (name, one) => {
  expect(refused([one], [machine("m1", FEATURES), machine("m2", undefined)])).toEqual([
    expect.stringContaining(`m2 would ignore ${name}:`),
  ]);
});

test("maintenance is one of them; committed options are not refused again, on another route they are", () => {
  const old = [machine("m1", undefined)];
  expect(refused([route()], old, { maintenance: true })).toEqual([
    expect.stringContaining("ignore maintenance"),
  ]);
  const denied = { options: { deny: ["10.0.0.0/8"] } };
  expect(refused([route(denied)], old, { had: [route(denied)] })).toEqual([]);
  expect(refused([route({ ...denied, path: "/x" })], old, { had: [route(denied)] })).toHaveLength(1);
});

test("a machine that does not answer is judged by the version in its record", () => {
  const options = { allow: ["10.0.0.0/8"] };
  const known = machine("m1", FEATURES);
  expect(refused([route({ options })], [known, silent("m2", "0.5.0")])).toEqual([]);
  expect(refused([route({ options })], [known, silent("m2", "0.4.0")])).toHaveLength(1);
});

test("a setting of an instance that an older machine ignores is one of them, of jobs as well", () => {
  const old = [machine("m1", ["allow"])];
  const container = { capAdd: ["NET_RAW"], init: true as const };
  expect(refused([], old, { container, jobs: { import: { spec: { container } } } })).toEqual([
    expect.stringContaining("services.web: m1 would ignore cap_add, init:"),
    expect.stringContaining("jobs.import: m1 would ignore cap_add, init:"),
  ]);
  expect(refused([], old, { container: { readOnly: true } })).toEqual([]);
});
