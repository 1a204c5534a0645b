import { setTimeout as delay } from "node:timers/promises";
import type { CallOptions } from "./call.ts";
import { PloyzError } from "./error-codes.ts";
import type { Dataset } from "./parse.ts";

/** `zfs create` makes the dataset first and sets its properties after that: a reader in between sees none of them. */
const CREATION_MS = 3000;
const PAUSE_MS = 20;

/**
 * The dataset, if it has these user properties. Reads a dataset again that was created moments ago and has none of them yet.
 * @throws PloyzError `dataset_foreign`.
 */
export async function claimed(
  first: Dataset,
  claim: Readonly<Record<string, string>>,
  again: () => Promise<Dataset>,
  options: CallOptions,
): Promise<Dataset> {
  for (let attempt = 1, dataset = first; ; attempt++, dataset = await again()) {
    const wrong = Object.entries(claim).find(([property, value]) => dataset.user[property] !== value);
    if (dataset.type !== "filesystem") throw foreign(dataset.name, `it is a ${dataset.type}`);
    if (wrong === undefined) return dataset;
    const present = dataset.user[wrong[0]];
    if (present !== undefined) {
      throw foreign(
        dataset.name,
        `its ${wrong[0]} is ${JSON.stringify(present)}, not ${JSON.stringify(wrong[1])}`,
      );
    }
    // `creation` is in whole seconds.
    if (Date.now() - dataset.createdAt > CREATION_MS) {
      throw foreign(dataset.name, `its ${wrong[0]} is not set, not ${JSON.stringify(wrong[1])}`);
    }
    await delay(PAUSE_MS * attempt, undefined, options.signal ? { signal: options.signal } : {});
  }
}

function foreign(name: string, why: string): PloyzError {
  return new PloyzError({
    code: "dataset_foreign",
    message: `${name} exists and has another owner: ${why}`,
    hint: `if it is no longer needed, rename it: zfs rename ${name} ${name}-old`,
  });
}
