import type { OperationRecord } from "@ployz/primitives/host";
import { expect, it } from "vitest";
import { ownReason } from "./unfinished.ts";

const step = (id: string, machine?: string) => ({
  ...{ id, kind: "start", args: {}, title: id, needs: [] },
  ...(machine !== undefined && { machine }),
});
const record = {
  ...{ coordinator: "m3", scope: ["deploy.prod"] },
  plan: { prepare: [step("start@m1", "m1"), step("stop@m2", "m2")], settle: [step("publish")] },
} as unknown as OperationRecord;
const error = { code: "machine_unreachable", message: "away" };
const owing = (...steps: string[]) =>
  ({ state: "cleanup-owed", owed: steps.map((one) => ({ step: one, error })) }) as const;
const lost = { state: "interrupted", owed: [] } as const;

it.each([
  ["owed by this machine", owing("start@m1"), { self: "m1", stopped: [] }, "owed"],
  ["owed by another machine", owing("start@m1"), { self: "m2", stopped: [] }, undefined],
  ["begun here, owed elsewhere", owing("start@m1"), { self: "m3", stopped: [] }, "owed"],
  ["not committed, and a service here is stopped", lost, { self: "m2", stopped: ["prod"] }, "stopped"],
  ["not committed, of another namespace", lost, { self: "m2", stopped: ["dev"] }, undefined],
  ["not committed, nothing is stopped", lost, { self: "m3", stopped: [] }, undefined],
] as const)("an operation without a runner: %s", (_what, result, here, reason) => {
  expect(ownReason(record, result, here)).toBe(reason);
});
