import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { readFileIfThere, writeFileAtomic } from "@ployz/exec";

/** Every line begins with it: other programs of the machine reach the collector's port too. */
export async function accessKey(gatewayDir: string): Promise<string> {
  const path = join(gatewayDir, "access.key");
  const found = (await readFileIfThere(path))?.trim();
  if (found !== undefined && /^[0-9a-f]{32}$/.test(found)) return found;
  const key = randomBytes(16).toString("hex");
  await writeFileAtomic(path, `${key}\n`, 0o600);
  return key;
}
