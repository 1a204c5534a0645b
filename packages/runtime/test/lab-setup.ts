import { mkdirSync, readFileSync } from "node:fs";
import { run } from "@ployz/exec";

/**
 * The lab tests run in namespaces of their own (`unshare` in the script test:lab): bridges, packet filters, named network
 * namespaces and /run are private to them, and every process they leave behind ends with them.
 */
export async function setup(): Promise<void> {
  const links = readFileSync("/proc/net/dev", "utf8")
    .split("\n")
    .slice(2)
    .filter((line) => line.trim() !== "");
  const alone =
    process.getuid?.() === 0 &&
    !links.some((line) => !/^\s*(lo|tunl0|sit0|ip6tnl0|gre0|gretap0|erspan0):/.test(line));
  if (!alone)
    throw new Error("run these as root through `pnpm test:lab`: they need a network namespace of their own");
  await run("mount", ["-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"]);
  mkdirSync("/run/netns");
  await run("ip", ["link", "set", "dev", "lo", "up"]);
}
