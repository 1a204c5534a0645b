import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { ExecError, findProgram, run } from "@ployz/exec";

/** Where WireGuard runs on this machine, or why it cannot. */
export type WireguardSupport =
  | { readonly mode: "kernel" }
  | { readonly mode: "userspace"; readonly program: string }
  | { readonly mode: "none"; readonly reason: string; readonly hint: string };

/** Probes this machine's WireGuard support: creates and removes an interface, else looks for wireguard-go and /dev/net/tun. */
export async function probeWireguard(): Promise<WireguardSupport> {
  for (const [program, pkg] of [
    ["ip", "iproute2"],
    ["wg", "wireguard-tools"],
  ] as const) {
    if ((await findProgram(program)) === undefined) {
      return { mode: "none", reason: `${program} is not installed`, hint: `apt-get install ${pkg}` };
    }
  }
  const name = `wgprobe${randomBytes(3).toString("hex")}`;
  let refusal: string;
  try {
    await run("ip", ["link", "add", "dev", name, "type", "wireguard"]);
    await run("ip", ["link", "del", "dev", name]);
    return { mode: "kernel" };
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    refusal = error.stderr.trim();
  }
  if (/operation not permitted/i.test(refusal)) {
    return {
      mode: "none",
      reason: `not permitted to create network interfaces (${refusal})`,
      hint: "run as root, or with CAP_NET_ADMIN",
    };
  }
  const program = await findProgram("wireguard-go");
  if (program === undefined) {
    return {
      mode: "none",
      reason: `the kernel has no WireGuard (${refusal}) and wireguard-go is not installed`,
      hint: "apt-get install wireguard-go, or load the kernel module: modprobe wireguard",
    };
  }
  try {
    await access("/dev/net/tun", constants.R_OK | constants.W_OK);
  } catch {
    return {
      mode: "none",
      reason: `the kernel has no WireGuard (${refusal}) and wireguard-go needs /dev/net/tun`,
      hint: "modprobe tun, or give the container /dev/net/tun",
    };
  }
  return { mode: "userspace", program };
}
