import { exitCodeOf } from "@ployz/primitives/client";

/** The HTTP status that says the same as the exit code of the error. */
export function httpStatusOf(code: string): number {
  const byExit: Readonly<Record<number, number>> = { 2: 400, 3: 409, 4: 503 };
  return byExit[exitCodeOf(code)] ?? 500;
}
