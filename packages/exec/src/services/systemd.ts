import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../run.ts";
import { renderUnit } from "./systemd-unit.ts";
import type { ServiceHost, ServiceSpec, ServiceStatus } from "./types.ts";
import { writeIfChanged } from "./write.ts";

const MARK = "# managed by ployz";

/** Services as systemd units in `unitDir` (default /etc/systemd/system), told apart from others by a mark in the file. */
export function systemdHost(unitDir = "/etc/systemd/system"): ServiceHost {
  const unit = (name: string) => `${name}.service`;
  const file = (name: string) => join(unitDir, unit(name));
  const systemctl = (args: readonly string[], okExitCodes: readonly number[] = [0]) =>
    run("systemctl", args, { timeoutMs: 60_000, okExitCodes });

  async function status(name: string): Promise<ServiceStatus> {
    const { stdout } = await systemctl(["show", unit(name), "--property=LoadState,ActiveState,MainPID"]);
    const facts = new Map(
      stdout
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    if (facts.get("LoadState") !== "loaded") return { state: "absent" };
    const pid = Number(facts.get("MainPID"));
    const running = ["active", "activating", "reloading"].includes(facts.get("ActiveState") ?? "") && pid > 0;
    return running ? { state: "running", pid } : { state: "stopped" };
  }

  return {
    kind: "systemd",
    status,
    async ensure(spec: ServiceSpec) {
      await mkdir(unitDir, { recursive: true });
      const before = await status(spec.name);
      const changed = await writeIfChanged(file(spec.name), `${MARK}\n${renderUnit(spec)}`, 0o644);
      if (changed) await systemctl(["daemon-reload"]);
      if (spec.startAtBoot === true) await systemctl(["enable", "--quiet", unit(spec.name)]);
      if (before.state === "running" && !changed) return "unchanged";
      await systemctl([before.state === "running" ? "restart" : "start", unit(spec.name)]);
      return before.state === "running" ? "replaced" : "started";
    },
    async stop(name) {
      if ((await status(name)).state !== "absent") await systemctl(["stop", unit(name)]);
    },
    async restart(name) {
      await systemctl(["restart", unit(name)]);
    },
    async remove(name) {
      if ((await status(name)).state === "absent") return;
      await systemctl(["disable", "--quiet", "--now", unit(name)]);
      await rm(file(name), { force: true });
      await systemctl(["daemon-reload"]);
      await systemctl(["reset-failed", unit(name)], [0, 1]); // 1: it had not failed
    },
    async signal(name, signal) {
      await systemctl(["kill", "--kill-who=main", `--signal=${signal}`, unit(name)]);
    },
    async list() {
      const names = (await readdir(unitDir)).filter((entry) => entry.endsWith(".service"));
      const texts = await Promise.all(
        names.map((entry) => readFile(join(unitDir, entry), "utf8").catch(() => "")),
      );
      return names
        .filter((_, index) => texts[index]?.startsWith(MARK))
        .map((entry) => entry.slice(0, -".service".length))
        .sort();
    },
  };
}
