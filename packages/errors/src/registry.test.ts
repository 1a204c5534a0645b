import { expect, test } from "vitest";
import { PloyzError as OperatorError } from "./error.ts";
import { defineErrors, type ErrorClass } from "./registry.ts";
import { SHARED_ERRORS } from "./shared.ts";

const ERRORS = defineErrors({
  zfs: { precondition: { pool_missing: "The pool does not exist." }, failed: { send_broken: "It broke." } },
  command: { usage: { usage: "Unknown flag." } },
});

test("a registry has each code with its chapter, meaning and exit code", () => {
  expect(ERRORS).toEqual({
    pool_missing: { area: "zfs", meaning: "The pool does not exist.", exit: 3 },
    send_broken: { area: "zfs", meaning: "It broke.", exit: 1 },
    usage: { area: "command", meaning: "Unknown flag.", exit: 2 },
  });
});

test("an unregistered code does not compile", () => {
  const PloyzError: ErrorClass<keyof typeof ERRORS> = OperatorError;
  expect(new PloyzError({ code: "pool_missing", message: "no pool" })).toBeInstanceOf(OperatorError);
  // @ts-expect-error not registered
  expect(new PloyzError({ code: "pool_lost", message: "no pool" }).code).toBe("pool_lost");
});

test("shared codes say in one sentence what they mean", () => {
  for (const { meaning } of Object.values(SHARED_ERRORS)) expect(meaning).toMatch(/^[A-Z].*\.$/);
});
