import { checkLabel, type StoreMove, type StoreRecover, type StoreRestore } from "@ployz/primitives";
import { PloyzError } from "../error-codes.ts";

const invalid = (message: string) => new PloyzError({ code: "invalid_input", message });

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("the request body is not an object");
  return value as Readonly<Record<string, unknown>>;
}

function machinesOf(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > 100)
    throw invalid("machines: must name one machine or more");
  for (const id of value) {
    const problem = checkLabel("machines", id);
    if (problem !== undefined) throw new PloyzError(problem);
  }
  return [...new Set(value as readonly string[])];
}

function flagOf(value: unknown, name: string): boolean {
  if (value !== undefined && typeof value !== "boolean") throw invalid(`${name}: must be true or false`);
  return value === true;
}

/** Names the field, never its content. */
export function passphraseOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "" || value.length > 1000)
    throw invalid("passphrase: must be a text of 1 to 1000 characters");
  return value;
}

export function storeMove(value: unknown): StoreMove {
  const { action, machines, replicas, preview } = fields(value);
  if (action !== "promote" && action !== "demote") throw invalid("action: must be promote or demote");
  if (replicas !== undefined && replicas !== 1 && replicas !== 3 && replicas !== 5)
    throw invalid("replicas: must be 1, 3 or 5");
  return {
    ...{ action, machines: machinesOf(machines), preview: flagOf(preview, "preview") },
    ...(replicas !== undefined && { replicas }),
  };
}

export function storeRestore(value: unknown): StoreRestore {
  const { id, passphrase, overwrite, preview } = fields(value);
  if (typeof id !== "string") throw invalid("id: is not the id of an upload");
  const secret = passphraseOf(passphrase);
  return {
    ...{ id, overwrite: flagOf(overwrite, "overwrite"), preview: flagOf(preview, "preview") },
    ...(secret !== undefined && { passphrase: secret }),
  };
}

export function storeRecover(value: unknown): StoreRecover {
  const { machines, preview } = fields(value);
  return {
    preview: flagOf(preview, "preview"),
    ...(machines !== undefined && { machines: machinesOf(machines) }),
  };
}
