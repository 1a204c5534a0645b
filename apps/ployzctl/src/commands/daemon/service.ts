import { access, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openServiceHost, type ServiceHost, type ServiceSpec } from "@ployz/exec";
import { PloyzError } from "../../error-codes.ts";
import type { Settings } from "../../settings.ts";
import { payloadDir } from "../../version.ts";

export const SERVICE = "ployzd";
export const INIT_SCRIPT = "/etc/init.d/ployz";

export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The folder of the installed payload, through the link that updates switch. @throws PloyzError `payload_missing`. */
export async function installedPayload(): Promise<string> {
  const own = payloadDir();
  for (const dir of [join(dirname(own), "current"), "/usr/local/lib/ployz/current"]) {
    const real = await realpath(dir).catch(() => undefined);
    if (real !== undefined && (await exists(join(dir, "lib/ployzd.mjs")))) return dir;
  }
  throw new PloyzError({
    code: "payload_missing",
    message: "Ployz is not installed in /usr/local/lib/ployz",
    hint: "unpack the release and run its ployz/install.sh",
  });
}

/** The same folders that ployzd uses: see its pathsOf. */
export const scanDir = (settings: Settings): string => join(dirname(settings.socket), "services");
export const serviceLogs = (settings: Settings): string => join(settings.dataDir, "logs/services");

export const serviceHost = (settings: Settings): Promise<ServiceHost> =>
  openServiceHost({ dir: scanDir(settings), logDir: serviceLogs(settings) });

/**
 * A small young generation keeps an idle daemon small and frees garbage sooner. Marking the heap in one go takes some 30 ms;
 * incremental marking would start after every 12 MB of buffers, 45 times in a transfer of 512 MiB.
 */
const NODE_FLAGS = ["--max-semi-space-size=1", "--v8-pool-size=1", "--no-incremental-marking"];

export function daemonSpec(payload: string, settings: Settings): ServiceSpec {
  const lib = join(payload, "lib");
  const config = settings.configPath === "/etc/ployz/config.toml" ? [] : ["--config", settings.configPath];
  return {
    name: SERVICE,
    description: "Ployz daemon",
    argv: [
      join(lib, "node"),
      ...NODE_FLAGS,
      "--import",
      join(lib, "compile-cache.mjs"),
      join(lib, "ployzd.mjs"),
      "run",
      ...config,
    ],
    restart: "always",
    killMainOnly: true,
    startAtBoot: true,
    notifies: { watchdogMs: 60_000 },
    // So that containers and volumes exist when it adopts them; it also works if they come later.
    after: ["docker", "zfs-mount", "zfs-fuse"],
  };
}

export function needRoot(root: boolean, what: string): void {
  if (root) return;
  throw new PloyzError({ code: "not_root", message: `${what} needs root`, hint: "run it with sudo" });
}
