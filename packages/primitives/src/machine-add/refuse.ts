import type { Refusal } from "../engine/types.ts";
import type { MachineRecord } from "../model/machine.ts";
import { type MachineAddInput, targetText } from "./input.ts";
import type { MachineAddFacts } from "./observe.ts";

const NEEDED_DISK = 1024 ** 3;

/** The name that the machine gets: asked for, else what it has in this cluster already, else its host name. */
export function nameOf(input: MachineAddInput, facts: MachineAddFacts): string {
  const { remote } = facts;
  if (input.name !== undefined) return input.name;
  if (remote.ployz?.cluster === facts.cluster.id && remote.ployz.machine !== undefined)
    return remote.ployz.machine;
  const label = (remote.hostname.split(".")[0] ?? "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 63);
  return label === "" ? `m${nextIndex(facts) ?? 0}` : label;
}

/** The record of the target when it is a full member already: there is nothing to do. */
export function presentMember(input: MachineAddInput, facts: MachineAddFacts): MachineRecord | undefined {
  const { ployz } = facts.remote;
  if (ployz?.cluster !== facts.cluster.id) return undefined;
  const found = facts.machines.find(
    ({ record }) => record.id === ployz.machine && record.state === "active",
  )?.record;
  return found !== undefined && (input.name === undefined || input.name === found.id) ? found : undefined;
}

export function nextIndex(facts: MachineAddFacts): number | undefined {
  for (let index = 1; facts.plan(index) !== undefined; index++) {
    if (!facts.takenIndexes.has(index)) return index;
  }
  return undefined;
}

export function refuse(input: MachineAddInput, facts: MachineAddFacts): readonly Refusal[] {
  if (presentMember(input, facts) !== undefined) return [];
  const { remote, cluster } = facts;
  const target = targetText(input.target);
  const refusals: Refusal[] = [];
  const no = (code: string, message: string, hint: string) =>
    refusals.push({ code, message: `${target}: ${message}`, hint });

  if (!remote.root) no("not_root", "the SSH user is not root", "use root@, or a user whose shell is root's");
  if (remote.arch === "other")
    no(
      "arch_unsupported",
      `its processor is not x86-64 or ARM64 (${remote.os})`,
      "use a 64-bit x86 or ARM machine",
    );
  if (remote.ployz?.cluster !== undefined && remote.ployz.cluster !== cluster.id) {
    no("other_cluster", "it is a member of another cluster", `run there: ployzctl mesh destroy`);
  }
  const name = nameOf(input, facts);
  const taken = facts.machines.find(({ record }) => record.id === name);
  if (taken !== undefined)
    no(
      "name_taken",
      `the name ${name} is taken by ${taken.record.endpoints[0] ?? taken.record.address}`,
      "give another with --name",
    );
  if (remote.missingPackages.length > 0 && remote.packageManager === "none") {
    no(
      "packages_missing",
      `it lacks ${remote.missingPackages.join(", ")}, and has no apt`,
      "install them there by hand and run this again",
    );
  }
  if (remote.portsTaken.length > 0)
    no(
      "port_taken",
      `in use there: ${remote.portsTaken.join(", ")}`,
      "stop what listens there, or change the port in /etc/ployz/config.toml on that machine",
    );
  if (remote.diskFreeBytes < NEEDED_DISK)
    no(
      "disk_full",
      `only ${Math.floor(remote.diskFreeBytes / 1024 ** 2)} MiB free`,
      "free at least 1 GiB there",
    );
  if (input.runtime === "docker" && !remote.dockerRunning)
    no(
      "docker_unavailable",
      "Docker does not run there",
      "apt-get install docker.io there, or --runtime process",
    );
  const index = nextIndex(facts);
  if (index === undefined)
    no(
      "subnets_exhausted",
      `${cluster.clusterCidr} has no free subnet`,
      "a larger cluster_cidr needs a new cluster",
    );
  return refusals;
}
