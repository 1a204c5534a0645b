import { expect, test, vi } from "vitest";
import { errorBody, PloyzError } from "./error.ts";

class Special extends PloyzError {}

test("instanceof finds the error of another copy of this package", async () => {
  vi.resetModules();
  const other = await import("./error.ts");
  expect(other.PloyzError).not.toBe(PloyzError);
  const error = new other.PloyzError({ code: "aborted", message: "aborted", hint: "run it again" });
  expect(error).toBeInstanceOf(PloyzError);
  expect(new PloyzError({ code: "aborted", message: "aborted" })).toBeInstanceOf(other.PloyzError);
  expect(errorBody(error)).toEqual({ code: "aborted", message: "aborted", hint: "run it again" });
});

test("a class that extends it is distinguished from its base", () => {
  const special = new Special({ code: "aborted", message: "aborted" });
  expect(special).toBeInstanceOf(Special);
  expect(special).toBeInstanceOf(PloyzError);
  expect(new PloyzError({ code: "aborted", message: "aborted" })).not.toBeInstanceOf(Special);
});

test.each([[undefined], [null], ["text"], [{ name: "PloyzError" }], [new Error("x")]])(
  "%s is none",
  (value) => {
    expect(value instanceof PloyzError).toBe(false);
  },
);

test("everything else is internal on the wire", () => {
  expect(errorBody(Object.assign(new Error("gone"), { code: "ENOENT" }))).toEqual({
    code: "internal",
    message: "gone",
  });
  expect(errorBody("text")).toEqual({ code: "internal", message: "text" });
});
