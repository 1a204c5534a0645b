import { rm } from "node:fs/promises";
import { join } from "node:path";
import { sameSecrets } from "@ployz/primitives/host";
import type { InstanceStart } from "@ployz/primitives/protocol";
import { checkId } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import { readJson, writeJson } from "./files.ts";

type Refs = NonNullable<InstanceStart["secrets"]>;
type Values = Readonly<Record<string, string>>;

/** Secret values of this machine's instances, one file (0600) each, so that they start after a reboot without the store. */
export interface InstanceSecrets {
  keep(id: string, secrets: Refs, values: Values): Promise<void>;
  /** Values by variable. @throws PloyzError `secrets_missing` when the stored ones differ. */
  values(id: string, secrets: Refs | undefined): Promise<Values>;
  forget(id: string): Promise<void>;
}

export function openInstanceSecrets(dir: string): InstanceSecrets {
  const file = (id: string) => join(dir, `${checkId(id)}.json`);
  return {
    keep: async (id, secrets, values) => writeJson(file(id), { secrets, values }),
    async values(id, secrets) {
      if (secrets === undefined) return {};
      const kept = await readJson<{ readonly secrets: Refs; readonly values: Values }>(file(id));
      if (kept !== undefined && sameSecrets(kept.secrets, secrets)) return kept.values;
      throw new PloyzError({
        code: "secrets_missing",
        message: `this machine does not have the secrets of ${id}`,
        hint: "deploy again: that replaces the instance",
      });
    },
    forget: async (id) => rm(file(id), { force: true }),
  };
}
