import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../run.ts";
import { waitFor } from "../wait-for.ts";
import { unconfined } from "./confine.ts";
import { renderUnit } from "./systemd-unit.ts";
import type { ServiceHost, ServiceSpec, ServiceStatus } from "./types.ts";
import { writeIfChanged } from "./write.ts";

const MARK = "# managed by ployz";

/** Services as systemd units in `unitDir` (default /etc/systemd/system). A mark in the file distinguishes them from other units. */
export function systemdHost(unitDir = "/etc/systemd/system"): ServiceHost {
  const unit = (name: string) => `${name}.service`;
  const file = (name: string) => join(unitDir, unit(name));
  const systemctl = (args: readonly string[], okExitCodes: readonly number[] = [0]) =>
    run("systemctl", args, { timeoutMs: 60_000, okExitCodes });

  async function show(name: string): Promise<ReadonlyMap<string, string>> {
    const properties = "--property=Type,LoadState,ActiveState,MainPID,NeedDaemonReload";
    const { stdout } = await systemctl(["show", unit(name), properties]);
    return new Map(
      stdout
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  }

  function statusOf(facts: ReadonlyMap<string, string>): ServiceStatus {
    if (facts.get("LoadState") !== "loaded") return { state: "absent" };
    const pid = Number(facts.get("MainPID"));
    const running = ["active", "activating", "reloading"].includes(facts.get("ActiveState") ?? "") && pid > 0;
    return running ? { state: "running", pid } : { state: "stopped" };
  }

  const status = async (name: string) => statusOf(await show(name));

  /** A program that tells when it is ready may take any time until then, or never get there: only its process is waited for. */
  async function order(verb: "start" | "restart", name: string): Promise<void> {
    const before = await show(name);
    if (before.get("Type") !== "notify") return void (await systemctl([verb, unit(name)]));
    await systemctl([verb, "--no-block", unit(name)]);
    const running = async () => {
      const now = await status(name);
      return now.pid !== undefined && now.pid !== statusOf(before).pid ? true : undefined;
    };
    await waitFor(`systemd to ${verb} ${name}`, running, { timeoutMs: 60_000, intervalMs: 20 });
  }

  return {
    kind: "systemd",
    status,
    async ensure(spec: ServiceSpec) {
      await mkdir(unitDir, { recursive: true });
      const text = `${MARK}\n${renderUnit(spec)}`;
      const before = await show(spec.name);
      const running = statusOf(before).state === "running";
      const found = await readFile(file(spec.name), "utf8").catch(() => "");
      const same = found === text;
      const runs = running && unconfined(found) === unconfined(text);
      // Stop before the file changes: if the caller dies in between, no process runs from an outdated unit file.
      if (running && !runs) await systemctl(["stop", unit(spec.name)]);
      if (!same) await writeIfChanged(file(spec.name), text, 0o644);
      // Also completes a reload that an earlier caller did not reach.
      if (!same || before.get("NeedDaemonReload") === "yes") await systemctl(["daemon-reload"]);
      if (spec.startAtBoot === true) await systemctl(["enable", "--quiet", unit(spec.name)]);
      if (runs) return "unchanged";
      await order("start", spec.name);
      return running ? "replaced" : "started";
    },
    async stop(name) {
      if ((await status(name)).state !== "absent") await systemctl(["stop", unit(name)]);
    },
    async restart(name) {
      await order("restart", name);
    },
    async remove(name) {
      const text = await readFile(file(name), "utf8").catch(() => "");
      if (!text.startsWith(MARK)) return; // not there, or not ours
      await systemctl(["stop", unit(name)], [0, 5]); // 5: a file that systemd could not load
      await systemctl(["disable", "--quiet", unit(name)]);
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
