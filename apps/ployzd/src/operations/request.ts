import { OperationBody, shaped } from "@ployz/primitives/host";
import { isOperationId, type OperationRequest, shown } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

export const invalid = (message: string) => new PloyzError({ code: "invalid_input", message });

/** A text that is stored and printed: no control characters, not too long. */
export const printable = (text: string): string => text.slice(0, 200).replaceAll(/\p{Cc}/gu, "?");

const body = shaped(OperationBody);

/** @throws PloyzError `invalid_input`. */
export function operationRequest(value: unknown): OperationRequest {
  const { by, input = null, ...request } = body(value);
  if (request.prepared !== undefined && request.mode !== "apply")
    throw invalid("prepared: must be the id of a prepared plan, with mode apply");
  return { ...request, input, by: printable(by) };
}

/** Ids become subjects of the store: refuse everything else. */
export function operationId(text: string | undefined): string {
  if (isOperationId(text)) return text;
  throw invalid(`${shown(text ?? "")} is not an operation's id`);
}
