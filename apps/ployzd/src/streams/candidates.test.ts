import type { Commit } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { candidates } from "./open.ts";
import { refuseSingleWriter } from "./single-writer.ts";

const head = {
  namespace: "prod",
  services: {
    web: { spec: { volumes: {} } },
    off: { stopped: true, spec: { volumes: {} } },
    db: { spec: { volumes: { data: "/d" } } },
    files: { spec: { volumes: { shared: "/d" } } },
  },
  jobs: { migrate: {} },
  volumes: [
    { name: "data", spec: { scope: "single" } },
    { name: "shared", spec: { scope: "shared" } },
  ],
  instances: [
    { id: "w1", service: "web", slot: 1, machine: "m1" },
    { id: "w2", service: "web", slot: 2, machine: "m2" },
  ],
} as unknown as Commit;
const find = (service: string, slot?: number) =>
  candidates({ self: "m2", heads: () => [head] }, { namespace: "prod", service, slot });

test("an instance of this machine comes first", () => {
  expect(find("web")).toMatchObject({ found: [{ id: "w2" }, { id: "w1" }], of: 2 });
});

test.each([
  ["off", "no_such_instance", "prod/off has no instance", "it is stopped: ployzctl start prod/off"],
  ["migrate", "no_such_service", "prod/migrate is a job", "services of prod: web, off, db, files"],
  ["none", "no_such_service", "nothing is deployed as prod/none", "services of prod: web, off, db, files"],
])("%s is refused: %s", (service, code, message, hint) => {
  expect(() => find(service)).toThrow(expect.objectContaining({ code, message, hint }));
});

test("a run of a service whose volume has a single writer is refused before it begins", () => {
  expect(() => refuseSingleWriter(head, "db")).toThrow(
    expect.objectContaining({
      code: "volume_in_use",
      message: "prod/db uses the volume data, which has a single writer",
    }),
  );
  refuseSingleWriter(head, "files");
  refuseSingleWriter(head, "web");
});
