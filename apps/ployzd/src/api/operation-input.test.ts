import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createMemoryMachines, createMemoryRemote, createMemoryStore } from "@ployz/primitives/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import type { Daemon } from "../daemon/daemon.ts";
import { openRunner } from "../operations/runner.ts";
import { apiRoutes } from "./routes.ts";
import { type ApiServer, serveApi } from "./server.ts";

let dir: string;
let server: ApiServer;
const store = createMemoryStore({ clock: systemClock });

beforeEach(async () => {
  const machines = createMemoryMachines({ clock: systemClock, machines: ["m1"], facts: store.facts });
  const payload = { version: "1", build: "b", arch: "x64" };
  const releases = { key: async () => undefined, signedBy: async () => false };
  const remote = createMemoryRemote({ machines, needs: [], payload });
  const runner = openRunner({
    ...{ store, machines, self: "m1", generation: () => 1, log() {}, owes() {}, heard() {} },
    source: { machine: "m1", look: () => Promise.reject(new Error("not asked")), ...releases },
    openRemote: () => ({ ...remote, close() {} }),
    machineAdd: { payload, storePort: 4222, releases, subnets: () => () => ({ subnet: "", address: "" }) },
  });
  dir = await mkdtemp(join(tmpdir(), "ployzd-input-"));
  const member = { store, run: runner.run };
  const daemon = { member: () => member } as Partial<Daemon> as Daemon;
  server = await serveApi(join(dir, "d.sock"), apiRoutes(daemon), () => {});
});
afterEach(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

/** Sends any bytes, as a program that does not have our types may. */
async function post(body: string): Promise<string> {
  const asked = request({ socketPath: join(dir, "d.sock"), path: "/v1/operations", method: "POST" });
  asked.end(body);
  const [response] = await once(asked, "response");
  return text(response);
}

const operation = (primitive: unknown, input: unknown) =>
  JSON.stringify({ primitive, input, mode: "apply", by: "someone@m1" });

it.each([
  ["a misspelt field", operation("branch", { source: "prod", taget: "pr-42" }), "taget: unknown field"],
  ["the field that was meant", operation("branch", { source: "prod", taget: "x" }), "did you mean `target`?"],
  ["a missing field", operation("branch", { source: "prod" }), "target: is required"],
  ["another type", operation("branch", { source: "prod", target: 42 }), "target: must be a string, not 42"],
  ["input that is a list", operation("branch", []), "the input must be an object, not []"],
  ["no input", operation("branch", undefined), "the input must be an object, not null"],
  [
    "a misspelt field of the request",
    '{"primitiv":"branch","mode":"apply","by":"x"}',
    "primitive: is required",
  ],
  ["another mode", '{"primitive":"branch","mode":"aply","by":"x"}', "mode: must be"],
])("%s is named, and nothing is recorded", async (_what, body, text) => {
  const answer = await post(body);
  expect(answer).toContain('"code":"invalid_input"');
  expect(answer).toContain(text);
  expect(await store.journals.summaries(10)).toEqual([]);
});

it("an unknown primitive and a body that is no JSON are refused by name", async () => {
  expect(await post(operation("brnach", {}))).toContain("brnach");
  const broken = await post('{"primitive":');
  expect(broken).toContain('"invalid_input"');
});
