import type { Refusal } from "../engine/types.ts";
import { isMember, type MachineRecord } from "../model/machine.ts";
import { type MachineAddInput, targetText } from "./input.ts";
import type { MachineAddFacts, MemberFacts } from "./observe.ts";

const NEEDED_DISK = 1024 ** 3;

/** The name that the machine gets: asked for, else what it has in this cluster already, else its host name. */
export function nameOf(input: MachineAddInput, facts: MachineAddFacts): string {
  const { remote } = facts;
  if (input.name !== undefined) return input.name;
  if (remote.ployz?.cluster === facts.cluster.id && remote.ployz.machine !== undefined)
    return remote.ployz.machine;
  return labelOf(remote.hostname, facts);
}

/** A machine's name out of its host name. */
export function labelOf(hostname: string, facts: MemberFacts): string {
  const label = (hostname.split(".")[0] ?? "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-")
    .replace(/^-+/, "")
    .replace(/^(?=\d)/, "m") // a name starts with a letter
    .slice(0, 63)
    .replace(/-+$/, "");
  return label === "" ? `m${freePlace(facts)?.index ?? 0}` : label;
}

/** The record of the target when it is a full member already: there is nothing to do. */
export function presentMember(input: MachineAddInput, facts: MachineAddFacts): MachineRecord | undefined {
  const { ployz } = facts.remote;
  if (ployz?.cluster !== facts.cluster.id) return undefined;
  const found = facts.machines.find(({ record }) => record.id === ployz.machine && isMember(record))?.record;
  return found !== undefined && (input.name === undefined || input.name === found.id) ? found : undefined;
}

/** Refuses flags that differ from the member as it is: this command changes no member. */
export function refuseChange(
  { target, zfsRoot, runtime, region, az }: MachineAddInput,
  present: MachineRecord,
  facts: MachineAddFacts,
): readonly Refusal[] {
  const differs = (asked: string | undefined, is: string | undefined) => asked !== undefined && asked !== is;
  const flags = [
    ...(differs(zfsRoot, facts.zfsRoot) ? ["--zfs-root"] : []),
    ...(differs(runtime, present.runtime) ? ["--runtime"] : []),
    ...(differs(region, present.region) ? ["--region"] : []),
    ...(differs(az, present.az) ? ["--az"] : []),
  ];
  if (flags.length === 0) return [];
  const message = `${targetText(target)}: it is a member already, as ${present.id}, and machine add does not change its ${flags.join(", ")}`;
  const hint =
    zfsRoot !== undefined && flags.includes("--zfs-root")
      ? `run there: ployzctl daemon install --zfs-root ${zfsRoot}`
      : `leave ${flags.join(", ")} out, or remove the machine and add it again`;
  return [{ code: "already_member", message, hint }];
}

/** The first free subnet of the cluster's range; `undefined` when all are taken. */
export function freePlace({ plan, takenIndexes }: MemberFacts) {
  for (let index = 1; ; index++) {
    const place = plan(index);
    if (place === undefined) return undefined;
    if (!takenIndexes.has(index)) return { ...place, index };
  }
}

/** Reasons not to add a machine that is no member yet. */
export function refuse(input: MachineAddInput, facts: MachineAddFacts): readonly Refusal[] {
  const { remote, cluster } = facts;
  const target = targetText(input.target);
  const refusals: Refusal[] = [];
  const no = (code: Refusal["code"], message: string, hint: string) =>
    refusals.push({ code, message: `${target}: ${message}`, hint });

  if (!remote.root) no("not_root", "the SSH user is not root", "use root@, or a user whose shell is root's");
  if (remote.arch === "other")
    no(
      "arch_unsupported",
      `its processor is not x86-64 or ARM64 (${remote.os})`,
      "use a 64-bit x86 or ARM machine",
    );
  else if (remote.arch !== facts.payload.arch)
    no(
      "arch_differs",
      `it is ${remote.arch}, and the payload of this machine is for ${facts.payload.arch}`,
      `ask a member that is ${remote.arch}; or run there the install.sh of the payload for ${remote.arch}, and join by an invite: ployzctl machine invite create`,
    );
  if (remote.ployz?.cluster !== undefined && remote.ployz.cluster !== cluster.id) {
    no("other_cluster", "it is a member of another cluster", `run there: ployzctl mesh destroy`);
  }
  refusals.push(...refuseCluster(target, facts));
  refusals.push(...refuseName(input, facts));
  if (remote.missingPackages.length > 0 && remote.packageManager === "none") {
    no(
      "packages_missing",
      `it lacks ${remote.missingPackages.join(", ")}, and has no apt`,
      "install them there by hand and run this again",
    );
  }
  // Those of a half-added machine are held by what the add itself started.
  if (remote.portsTaken.length > 0 && remote.ployz?.cluster !== cluster.id)
    no(
      "port_taken",
      `in use there: ${remote.portsTaken.join(", ")}`,
      "stop what listens there, or change the port in /etc/ployz/config.toml on that machine",
    );
  if (facts.unsigned.includes("here"))
    no(
      "payload_unsigned",
      "the build that this machine would send is not signed with this machine's own release key",
      "install a signed build here first: docs/operations.md, Updating",
    );
  if (facts.unsigned.includes("there"))
    no(
      "payload_unsigned",
      "its release key (/etc/ployz/release.pub) did not sign the build that this machine would send",
      "put the public key that signed this build there, or install a build here that its key signed",
    );
  if (remote.diskFreeBytes < NEEDED_DISK)
    no(
      "disk_full",
      `only ${Math.floor(remote.diskFreeBytes / 1024 ** 2)} MiB free${remote.diskAt === undefined ? "" : ` on ${remote.diskAt}`}`,
      "free at least 1 GiB there",
    );
  if (input.runtime === "docker" && !remote.dockerRunning)
    no(
      "docker_unavailable",
      "Docker does not run there",
      "apt-get install docker.io there, or --runtime host",
    );
  // Its routes of a membership are the cluster's own.
  if (remote.ployz?.cluster === undefined) refusals.push(...refuseRoutes(target, facts, remote.routes));
  return refusals;
}

/** Why the cluster cannot take any machine now. */
export function refuseCluster(who: string, facts: MemberFacts): readonly Refusal[] {
  const unreachable = facts.machines
    .map(({ record }) => record)
    .filter((record) => record.store && isMember(record) && !facts.reachable.includes(record.id));
  const full = freePlace(facts) === undefined;
  return [
    ...unreachable.map(({ id }) => ({
      code: "store_machine_unreachable" as const,
      message: `${who}: the daemon of ${id}, which holds the store, does not answer, and it has to let the new machine in`,
      hint: `start it: systemctl start ployzd on ${id}`,
    })),
    ...(full
      ? [
          {
            code: "subnets_exhausted" as const,
            message: `${who}: ${facts.cluster.clusterCidr} has no free subnet`,
            hint: "a larger cluster_cidr needs a new cluster",
          },
        ]
      : []),
  ];
}

/** The new machine's own networks, and the cluster's range. */
export function refuseRoutes(
  who: string,
  { cluster }: MemberFacts,
  routes: readonly string[],
): readonly Refusal[] {
  const overlap = overlapping(cluster.clusterCidr, routes);
  if (overlap.length === 0) return [];
  return [
    {
      code: "cidr_overlap",
      message: `${who}: the cluster's range ${cluster.clusterCidr} overlaps its own network ${overlap.join(", ")}`,
      hint: "use a machine without that network, or make a new cluster in another range: ployzctl mesh init --cidr RANGE",
    },
  ];
}

/** Whose name it would be: the machine's own under another name, one that is being added, or another machine's. */
function refuseName(input: MachineAddInput, facts: MachineAddFacts): readonly Refusal[] {
  const { remote, cluster } = facts;
  const target = targetText(input.target);
  const standing = (id: string | undefined) =>
    id === undefined ? undefined : facts.machines.find(({ record }) => record.id === id)?.record;
  const own = remote.ployz?.cluster === cluster.id ? standing(remote.ployz.machine) : undefined;
  const name = nameOf(input, facts);
  const taken = own ?? standing(name);
  if (taken === undefined) return [];
  if (taken.state === "joining" || taken.state === "removed") return [refuseTaken(target, taken)];
  if (own !== undefined) {
    const message = `${target}: it is a member already, as ${own.id}`;
    return [{ code: "already_member", message, hint: "leave --name out" }];
  }
  return [refuseTaken(target, taken)];
}

/** The name is another machine's, which is a member or is being added. */
export function refuseTaken(who: string, taken: MachineRecord): Refusal {
  if (taken.state === "joining") {
    const message = `${who}: operation ${taken.operation} is adding ${taken.id}, or was interrupted at it`;
    const hint = `ployzctl ops show ${taken.operation}; an interrupted one is finished by giving its command again`;
    return { code: "machine_joining", message, hint, operationId: taken.operation };
  }
  if (taken.state === "removed") {
    const message = `${who}: operation ${taken.operation} is removing ${taken.id}, or was interrupted at it`;
    const hint = `ployzctl ops show ${taken.operation}; an interrupted one is finished by giving its command again`;
    return { code: "machine_leaving", message, hint, operationId: taken.operation };
  }
  const where = taken.endpoints[0] ?? taken.address;
  const message = `${who}: the name ${taken.id} is taken by ${where}`;
  return { code: "name_taken", message, hint: "give another with --name" };
}

/** IPv4 networks of `routes` that share addresses with `cidr`. Entries that are no network (`unreachable`, `local`) are skipped. */
function overlapping(cidr: string, routes: readonly string[]): readonly string[] {
  const wanted = range(cidr);
  return routes.filter((route) => {
    const there = range(route);
    return there !== undefined && wanted !== undefined && there[0] <= wanted[1] && wanted[0] <= there[1];
  });
}

function range(cidr: string): readonly [number, number] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(cidr);
  if (match === null || match[5] === "0") return undefined;
  const address = match.slice(1, 5).reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(match[5] ?? 32));
  const first = Math.floor(address / size) * size;
  return [first, first + size - 1];
}
