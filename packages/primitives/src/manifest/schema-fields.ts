import Type from "typebox";
import * as patterns from "../model/patterns.ts";

export const name = (description: string) => Type.String({ pattern: patterns.NAME, description });
export const size = (description: string) =>
  Type.String({
    pattern: patterns.SIZE,
    description: `${description} For example \`256M\`, \`1G\` (powers of 1024).`,
  });
export const port = (description: string) => Type.Integer({ minimum: 1, maximum: 65535, description });

/** A map whose keys match `pattern`; a key that does not is reported as a bad name, and its value is still checked. */
export function map<T extends Type.TSchema>(keys: string, value: T, description: string, max = 1000) {
  return Type.Record(Type.String(), value, {
    propertyNames: { pattern: keys },
    maxProperties: max,
    description,
  });
}
