import { errorBody, PloyzError } from "@ployz/errors";

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
    if (error instanceof PloyzError && error.code === "file_unreadable") return errorBody(error);
    throw error;
  }
}

export const body = bodyOf("/etc/ployz/config.toml");
