import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";

const FILE = new URL("../../../apps/ployzctl/schema/ployzctl.schema.json", import.meta.url);
let validator: Promise<Ajv2020> | undefined;

/** What a real cluster answers fits the published schema of its kind. */
export async function checkDocument(document: unknown): Promise<void> {
  validator ??= readFile(FILE, "utf8").then((text) =>
    new Ajv2020({ strict: false }).addSchema(JSON.parse(text), "published"),
  );
  const ajv = await validator;
  const { kind } = document as { readonly kind?: unknown };
  if (ajv.validate(`published#/$defs/${String(kind)}`, document)) return;
  throw new Error(
    `the schema of ${String(kind)} does not fit: ${ajv.errorsText()}\n${JSON.stringify(document)}`,
  );
}
