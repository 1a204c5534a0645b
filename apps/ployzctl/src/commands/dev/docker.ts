import { ExecError, type RunOptions, run } from "@ployz/exec";
import { PloyzError } from "../../error-codes.ts";

const LABEL = "ployz.dev";
/** The network of dev's machines. */
export const NETWORK = "ployz-dev";
/** Milliseconds for a container's start, and for a command in it. */
const START_MS = 120_000;
const COMMAND_MS = 600_000;

export interface DevContainer {
  /** Of its machine: m1, m2, … */
  readonly machine: string;
  readonly container: string;
  readonly running: boolean;
}

export const containerOf = (machine: string): string => `ployz-dev-${machine}`;

/** The standard output of docker(1). @throws PloyzError `docker_unreachable`, or `dev_failed` with the last line of its errors. */
export async function docker(args: readonly string[], options: RunOptions = {}): Promise<string> {
  try {
    return (await run("docker", args, { timeoutMs: START_MS, ...options })).stdout.trim();
  } catch (error) {
    if (!(error instanceof ExecError) || error.code === "exec_aborted") throw error;
    const last = (error.stderr ?? "").trim().split("\n").at(-1) ?? "";
    const unreachable =
      error.code === "exec_not_found" || /cannot connect|daemon running|permission denied/i.test(last);
    throw new PloyzError({
      code: unreachable ? "docker_unreachable" : "dev_failed",
      message: unreachable
        ? `Docker does not answer: ${last === "" ? "there is no docker on this computer" : last}`
        : `docker ${args[0]}: ${last === "" ? error.message : last}`,
      hint: unreachable
        ? "start Docker, and check: docker version"
        : "run it again; to begin again: ployzctl dev down",
    });
  }
}

/** The standard output of a command in a machine's container. */
export const inside = (machine: string, args: readonly string[], options: RunOptions = {}): Promise<string> =>
  docker(["exec", ...(options.input === undefined ? [] : ["-i"]), containerOf(machine), ...args], {
    timeoutMs: COMMAND_MS,
    ...options,
  });

/** The containers of dev's machines, in the order of their numbers. */
export async function devContainers(): Promise<readonly DevContainer[]> {
  const format = `{{.Label "${LABEL}"}} {{.Names}} {{.State}}`;
  const listed = await docker(["ps", "-a", "--filter", `label=${LABEL}`, "--format", format]);
  return listed
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" "))
    .map(([machine = "", container = "", state]) => ({ machine, container, running: state === "running" }))
    .sort((a, b) => Number(a.machine.slice(1)) - Number(b.machine.slice(1)));
}

/** Beside Docker's own: a machine mounts, filters packets, makes tunnels and runs containers. Less than `--privileged`, which opens the computer's devices and clock. */
const CAPABILITIES = [
  ...["SYS_ADMIN", "NET_ADMIN", "NET_BROADCAST", "SYS_PTRACE", "SYS_NICE", "DAC_READ_SEARCH"],
  ...["LINUX_IMMUTABLE", "IPC_LOCK", "IPC_OWNER", "LEASE", "SYSLOG", "SYS_TTY_CONFIG"],
];

/** Starts a new container: a machine with its own address, cgroups and disk, which booted. */
export async function createMachine(
  machine: string,
  {
    image,
    address,
    publish,
  }: { readonly image: string; readonly address: string; readonly publish: readonly string[] },
): Promise<void> {
  await docker([
    ...["run", "--detach", "--name", containerOf(machine), "--hostname", machine],
    ...["--label", `${LABEL}=${machine}`],
    ...["--cgroupns", "private"],
    ...CAPABILITIES.flatMap((name) => ["--cap-add", name]),
    ...["seccomp", "apparmor", "systempaths"].flatMap((what) => ["--security-opt", `${what}=unconfined`]),
    ...["/dev/fuse", "/dev/net/tun"].flatMap((device) => ["--device", device]),
    ...["--tmpfs", "/run:rw,nosuid,nodev,noexec,mode=755,size=64m"],
    ...["--network", NETWORK, "--ip", address],
    ...publish.flatMap((listen) => ["--publish", `${listen}:80`]),
    ...["--stop-timeout", "60", image],
  ]);
  await booted(machine);
}

const BOOTED = "until [ -e /run/ployz-machine ]; do sleep 0.1; done";
const booted = (machine: string) => inside(machine, ["timeout", "120", "sh", "-c", BOOTED]);

export async function startMachine(machine: string): Promise<void> {
  await docker(["start", containerOf(machine)]);
  await booted(machine);
}

/** With their disks. */
export const removeMachines = (machines: readonly string[]): Promise<unknown> =>
  Promise.all(machines.map((machine) => docker(["rm", "--force", "--volumes", containerOf(machine)])));

/** The network's subnet, such as 172.18.0.0/16; undefined where there is none. */
export async function networkSubnet(): Promise<string | undefined> {
  const found = await docker(["network", "ls", "--filter", `name=^${NETWORK}$`, "--format", "{{.Name}}"]);
  return found === "" ? undefined : subnetOf();
}

const subnetOf = () =>
  docker(["network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", NETWORK]);

/** Fixed addresses need a subnet that was named; the free one is Docker's choice. */
export async function createNetwork(): Promise<string> {
  await docker(["network", "create", NETWORK]);
  const subnet = await subnetOf();
  await docker(["network", "rm", NETWORK]);
  await docker(["network", "create", "--label", `${LABEL}=network`, "--subnet", subnet, NETWORK]);
  return subnet;
}

export const removeNetwork = (): Promise<string> => docker(["network", "rm", NETWORK]);

/** The address of the machine with this number, in the network. */
export function addressOf(subnet: string, number: number): string {
  const [a = "", b = "", c = "", d = ""] = (subnet.split("/")[0] ?? "").split(".");
  return [a, b, c, Number(d) + 10 + number].join(".");
}
