import { PloyzError } from "./error-codes.ts";

/** `value`, if it is a valid name. @throws PloyzError `invalid_input`, naming the field. */
export async function needLabel(field: string, value: string | undefined): Promise<string> {
  const { checkLabel } = await import("@ployz/primitives/protocol");
  const problem = checkLabel(field, value);
  if (problem !== undefined) throw new PloyzError(problem);
  return value ?? "";
}

/** `NS` or `NS/SVC`. */
export async function needTarget(field: string, value: string): Promise<string> {
  const parts = value.split("/");
  for (const part of parts.slice(0, 2)) await needLabel(field, part);
  if (parts.length <= 2) return value;
  throw new PloyzError({
    code: "invalid_input",
    message: `${field}: ${JSON.stringify(value.slice(0, 60))} is not NAMESPACE or NAMESPACE/SERVICE`,
  });
}

/** An operation's id, in either case. */
export async function needOperation(field: string, value: string | undefined): Promise<string> {
  const { isOperationId, shown } = await import("@ployz/primitives/protocol");
  const id = (value ?? "").toUpperCase();
  if (isOperationId(id)) return id;
  throw new PloyzError({
    code: "invalid_input",
    message: `${field}: ${shown(value)} is not the id of an operation`,
    hint: "ployzctl ops ls",
  });
}
