import { errorBody } from "@ployz/errors";
import { expect, it } from "vitest";
import { MARK, ownOutput } from "./login-shell.ts";

const result = (stdout: string, exitCode = 0) => ({ stdout, stderr: "", exitCode });

it("a login shell may print before the command does", () => {
  expect(ownOutput(result(`Welcome!\n{"kind":"x"}\n${MARK}\n{"kind":"y"}\n`), "m2").stdout).toBe(
    '{"kind":"y"}\n',
  );
  expect(ownOutput(result(`${MARK}\n`, 3), "m2")).toEqual(result("", 3));
});

it("a login shell that ends the session is an error with its files", () => {
  try {
    ownOutput(result("maintenance at five\n"), "m2");
    expect.unreachable();
  } catch (error) {
    expect(errorBody(error)).toMatchObject({
      code: "remote_failed",
      hint: expect.stringContaining(".bashrc"),
    });
  }
});
