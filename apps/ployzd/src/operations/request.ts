import type { OperationRequest } from "@ployz/primitives";
import { PloyzError } from "../error-codes.ts";

export const invalid = (message: string) => new PloyzError({ code: "invalid_input", message });

export function object(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("the request body is not an object");
  return value as Readonly<Record<string, unknown>>;
}

function credentialsOf(value: unknown): NonNullable<OperationRequest["credentials"]> {
  const { identity, agentSocket, acceptHostKeys } = object(value);
  const text = (given: unknown) => given === undefined || typeof given === "string";
  const keys =
    acceptHostKeys === undefined ||
    acceptHostKeys === "new" ||
    (Array.isArray(acceptHostKeys) && acceptHostKeys.every((key) => typeof key === "string"));
  // Says which field, never what is in it.
  if (!text(identity) || !text(agentSocket)) throw invalid("credentials: identity and agentSocket are texts");
  if (!keys) throw invalid('credentials: acceptHostKeys is "new" or a list of fingerprints');
  return {
    ...(typeof identity === "string" && { identity }),
    ...(typeof agentSocket === "string" && { agentSocket }),
    ...(acceptHostKeys !== undefined && { acceptHostKeys: acceptHostKeys as "new" | readonly string[] }),
  };
}

/** @throws PloyzError `invalid_input`. */
export function operationRequest(value: unknown): OperationRequest {
  const { primitive, input, mode, by, credentials, prepared } = object(value);
  const known = mode === "preview" || mode === "prepare" || mode === "apply";
  if (typeof primitive !== "string" || !known || typeof by !== "string")
    throw invalid("an operation needs primitive, input, mode (preview, prepare or apply) and by");
  if (prepared !== undefined && (typeof prepared !== "string" || mode !== "apply"))
    throw invalid("prepared: is the id of a prepared plan, and goes with the mode apply");
  return {
    primitive,
    input: (input ?? null) as OperationRequest["input"],
    mode,
    by: by.slice(0, 200).replaceAll(/\p{Cc}/gu, "?"), // it is journaled and printed
    ...(typeof prepared === "string" && { prepared }),
    ...(credentials !== undefined && { credentials: credentialsOf(credentials) }),
  };
}
