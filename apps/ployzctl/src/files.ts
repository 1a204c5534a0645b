const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "it may not be read",
  EISDIR: "it is a folder",
};

/** Why a file that was named could not be read, in words. */
export const whyUnreadable = ({ code, message }: NodeJS.ErrnoException): string => WHY[code ?? ""] ?? message;
