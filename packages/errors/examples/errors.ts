import { defineErrors, type ErrorClass, errorBody, PloyzError as OperatorError } from "@ployz/errors";

// src/error-codes.ts: every code of the package, by chapter and exit code, with its meaning.
const ERRORS = defineErrors({
  command: { precondition: { file_unreadable: "A given file cannot be read." } },
});
const PloyzError: ErrorClass<keyof typeof ERRORS> = OperatorError;

// Elsewhere: another code than those does not compile.
function open(path: string): never {
  throw new PloyzError({
    code: "file_unreadable",
    message: `${path} cannot be read`,
    hint: "check the file's owner and mode",
    details: { path },
  });
}

function bodyOf(path: string) {
  try {
    open(path);
  } catch (error) {
    if (error instanceof OperatorError && error.code === "file_unreadable") return errorBody(error);
    throw error;
  }
}

export const body = bodyOf("/etc/ployz/config.toml");
export const { exit } = ERRORS.file_unreadable;
