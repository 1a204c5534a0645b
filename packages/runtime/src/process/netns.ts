import { readFile } from "node:fs/promises";
import { ExecError, run, waitFor } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { kill } from "../kill.ts";
import { checkAddress, macOf, parseSubnet } from "../network/addresses.ts";
import { linkExists } from "../network/apply.ts";
import type { NetworkSpec } from "../runtime.ts";
import type { InstancePaths } from "./paths.ts";

/** Makes the namespace and its veth pair (ip-netns(8), veth(4)); creates the remains of an interrupted attempt again. */
export async function ensureNetns(
  paths: InstancePaths,
  network: NetworkSpec,
  address: string,
): Promise<void> {
  checkAddress(network, address);
  if (await isReady(paths, network, address)) return;
  await removeNetns(paths);
  const { prefix } = parseSubnet(network.subnet);
  try {
    await batch(
      [],
      [
        `netns add ${paths.netns}`,
        `link add name ${paths.veth} mtu ${network.mtu} type veth peer name eth0 address ${macOf(address)} mtu ${network.mtu} netns ${paths.netns}`,
        `link set dev ${paths.veth} addrgenmode none master ${network.bridge} up`,
      ],
    );
    await batch(
      ["-n", paths.netns],
      [
        "link set dev lo up",
        "link set dev eth0 addrgenmode none",
        `address add ${address}/${prefix} dev eth0`,
        "link set dev eth0 up",
        `route add default via ${network.gateway}`,
      ],
    );
  } catch (error) {
    const why = error instanceof ExecError ? error.stderr.trim().split("\n").at(-1) : "";
    await removeNetns(paths).catch(() => {});
    throw new PloyzError(
      {
        code: "network_failed",
        message: `instance ${paths.id} could not be connected to ${network.bridge} as ${address}: ${why}`,
        hint: `is the bridge there? ip link show ${network.bridge}`,
      },
      { cause: error },
    );
  }
}

/** Kills whatever is still in the namespace, then removes it; the veth pair goes with it. */
export async function removeNetns(paths: InstancePaths): Promise<void> {
  if (await netnsExists(paths)) {
    await killAll(paths);
    await run("ip", ["netns", "delete", paths.netns]).catch(async (error: unknown) => {
      if (await netnsExists(paths)) throw error;
    });
  }
  if (await linkExists(paths.veth)) {
    // The kernel removes a dead namespace asynchronously, and may have finished (1) or be running (2): both are fine.
    await run("ip", ["link", "delete", "dev", paths.veth], { okExitCodes: [0, 1, 2] });
    await waitFor(`${paths.veth} to go`, async () => ((await linkExists(paths.veth)) ? undefined : true), {
      timeoutMs: 5_000,
    });
  }
}

/** SIGKILL to every process of the instance, also when its supervisor is gone: nothing else is in its network namespace. */
export async function killAll(paths: InstancePaths): Promise<void> {
  if (!(await netnsExists(paths))) return;
  await waitFor(
    `the processes of ${paths.id} to end`,
    async () => {
      const pids = await netnsPids(paths);
      for (const pid of pids) kill(pid);
      return pids.length === 0 ? true : undefined;
    },
    { timeoutMs: 10_000 },
  );
}

async function netnsPids(paths: InstancePaths): Promise<readonly number[]> {
  const { stdout } = await run("ip", ["netns", "pids", paths.netns], { okExitCodes: [0, 1, 255] });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

export async function netnsExists(paths: InstancePaths): Promise<boolean> {
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  return mounts.includes(` ${paths.netnsPath} `) || (await leftName(paths));
}

/** After a reboot where /run is not a tmpfs, the name is there without the namespace. */
async function leftName(paths: InstancePaths): Promise<boolean> {
  return readFile(paths.netnsPath).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== "ENOENT" && error.code !== "ENOTDIR",
  );
}

async function isReady(paths: InstancePaths, network: NetworkSpec, address: string): Promise<boolean> {
  if (!(await netnsExists(paths)) || !(await linkExists(paths.veth))) return false;
  const [host, inside] = await Promise.all([
    run("ip", ["-j", "link", "show", "dev", paths.veth], { okExitCodes: [0, 1] }),
    run("ip", ["-n", paths.netns, "-j", "address", "show", "dev", "eth0"], { okExitCodes: [0, 1, 255] }),
  ]);
  if (host.exitCode !== 0 || inside.exitCode !== 0) return false;
  const [link] = JSON.parse(host.stdout || "[]") as { master?: string; mtu?: number; operstate?: string }[];
  const [eth0] = JSON.parse(inside.stdout || "[]") as {
    addr_info?: { local?: string }[];
    operstate?: string;
  }[];
  const hasAddress = eth0?.addr_info?.some((info) => info.local === address) === true;
  return (
    link?.master === network.bridge && link.mtu === network.mtu && eth0?.operstate === "UP" && hasAddress
  );
}

async function batch(options: readonly string[], lines: readonly string[]): Promise<void> {
  await run("ip", [...options, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}
