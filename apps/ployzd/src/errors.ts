import { exitCodeOf } from "@ployz/primitives/client";

/** The HTTP status that corresponds to the error's exit code. */
export function httpStatusOf(code: string): number {
  if (code === "token_invalid") return 401;
  if (code === "not_permitted") return 403;
  const byExit: Readonly<Record<number, number>> = { 2: 400, 3: 409, 4: 503 };
  return byExit[exitCodeOf(code)] ?? 500;
}
