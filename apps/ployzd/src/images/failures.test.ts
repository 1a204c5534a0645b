import { PloyzError } from "@ployz/errors";
import { expect, it } from "vitest";
import { reasonOf } from "./failures.ts";

const error = (code: string) => new PloyzError({ code, message: code });

it("a source that does not answer now is the reason, not the registry that is tried last", () => {
  const [away, registry] = [error("machine_unreachable"), error("registry_unreachable")];
  expect(reasonOf(registry, [away])).toBe(away);
  expect(reasonOf(error("image_missing"), [error("transfer_failed")])).toMatchObject({
    code: "call_interrupted",
  });
});

it("every other error is its own reason", () => {
  const [denied, full] = [error("registry_denied"), error("no_space")];
  expect(reasonOf(denied, [])).toBe(denied);
  expect(reasonOf(full, [error("machine_unreachable")])).toBe(full);
});
