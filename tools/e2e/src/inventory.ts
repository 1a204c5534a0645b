import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@ployz/exec";
import type { Commit, MachineRecord, OperationSummary } from "@ployz/primitives/protocol";
import { type Cluster, installedNode } from "./cluster.ts";
import { inPool, LOOK_AT_DATASETS } from "./datasets.ts";

const peek = join(dirname(fileURLToPath(import.meta.url)), "peek.ts");

/** The store's contents, read with m1's key. */
export interface StoreContents {
  readonly facts: readonly { readonly key: string; readonly value: unknown }[];
  readonly leases: readonly {
    readonly scope: string;
    readonly holder: { readonly operation: string; readonly machine: string };
  }[];
  readonly heads: readonly Commit[];
  readonly operations: readonly OperationSummary[];
}

/**
 * Everything that Ployz has on the machines and in the store, one line each. Names instances by their service in the last commit
 * (`prod/web`), so that clusters with equal histories have equal inventories; an instance in no commit keeps its raw name.
 */
export type Inventory = Readonly<Record<string, readonly string[]>>;

export async function storeContents({ lab }: Cluster): Promise<StoreContents> {
  const { machines } = await lab.info();
  const m1 = machines[0];
  if (m1?.init == null) throw new Error("m1 is off");
  const read = async (path: string) => (await lab.sh(1, ["cat", path])).stdout.trim();
  const [membership, seed] = await Promise.all([
    read("/var/lib/ployz/membership.json").then((text) => JSON.parse(text)),
    read("/var/lib/ployz/identity/nats.seed"),
  ]);
  const node = await installedNode(m1.init);
  const { stdout } = await run(
    "nsenter",
    [`--net=/proc/${m1.init}/ns/net`, node, "--conditions=@ployz/source", peek],
    {
      env: {
        SERVER: membership.storeServers[0],
        SEED: seed,
        CLUSTER: membership.cluster.id,
        MACHINE: membership.machine.id,
      },
      redact: [seed],
    },
  );
  return JSON.parse(stdout) as StoreContents;
}

/** Looks at `machines` (default: all) and at the store. */
export async function inventory(cluster: Cluster, machines?: readonly number[]): Promise<Inventory> {
  const store = await storeContents(cluster);
  const indexes = machines ?? cluster.lab.addresses.map((_, index) => index + 1);
  const named = namesOf(store.heads);
  const perMachine = await Promise.all(
    indexes.map(
      async (index) => [`m${index}`, await onMachine(cluster, index, named, store.operations)] as const,
    ),
  );
  return { store: inStore(store, named), ...Object.fromEntries(perMachine) };
}

type Names = (raw: string) => string;

function namesOf(heads: readonly Commit[]): Names {
  const known = new Map<string, string>();
  for (const { namespace, instances } of heads) {
    for (const { id, service } of instances) {
      const name = `${namespace}/${service}`;
      known.set(id, name);
      known.set(createHash("sha256").update(id).digest("hex").slice(0, 12), name);
    }
  }
  return (raw) => known.get(raw) ?? raw;
}

function inStore({ facts, leases, heads, operations }: StoreContents, named: Names): readonly string[] {
  const unfinished = operations.filter(({ state }) => !["done", "failed", "aborted"].includes(state));
  return [
    ...facts.map(({ key, value }) =>
      key.startsWith("machine.") ? `fact ${key} ${describe(value as MachineRecord)}` : `fact ${key}`,
    ),
    ...leases.map(({ scope, holder }) => `lease ${scope} of ${holder.operation} on ${holder.machine}`),
    ...heads.flatMap(({ instances }) =>
      instances.map(({ id, machine }) => `committed ${named(id)} on ${machine}`),
    ),
    ...unfinished.map(({ operation, title, state }) => `operation ${operation} (${title}) ${state}`),
  ].sort();
}

const describe = ({ state, index, store }: MachineRecord) => `${state} #${index}${store ? " store" : ""}`;

/** Prints `kind<TAB>name` lines. Where a folder is not there, nothing. */
const LOOK = String.raw`
cd /
each() { kind=$1; shift; for path; do [ -e "$path" ] && printf '%s\t%s\n' "$kind" "$(basename "$path")"; done; }
each record /var/lib/ployz/instances/*
each run /run/ployz/instances/*
each log /var/lib/ployz/logs/instances/*
each bundle /var/lib/ployz/bundles/*
each data /var/lib/ployz/*
each service /run/ployz/services/*
each servicelog /var/lib/ployz/logs/services/ploy*
each netns /run/netns/*
each tmp /tmp/*
each payload $(find /usr/local/lib/ployz -mindepth 1 -maxdepth 1 ! -name current 2>/dev/null)
for link in $(ls /sys/class/net); do printf 'link\t%s\n' "$link"; done
find /sys/fs/cgroup -mindepth 3 -type d -path '*/ployz/*' 2>/dev/null | while read -r dir; do
  printf 'cgroup\t%s %s\n' "$(basename "$(dirname "$(dirname "$dir")")")" "$(basename "$dir")"
done
grep -h '/run/ployz' /proc/mounts | while read -r _ where _; do printf 'mount\t%s\n' "$where"; done
[ -e /var/lib/ployz/reservations.json ] && sed -n 's/^ *"\([^"]*\)": *"\(.*\)".*/reservation\t\1/p' /var/lib/ployz/reservations.json
[ -e /var/lib/ployz/store/nats-server.conf ] && sed -n 's/^ *{ # /user\t/p' /var/lib/ployz/store/nats-server.conf
wg show all allowed-ips 2>/dev/null | while read -r _ _ subnets; do printf 'peer\t%s\n' "$subnets"; done
ps -eo pid,ppid,args --no-headers | while read -r pid parent args; do
  case $args in *'/run/ployz/instances/'*) ;; *ployzd.mjs*|*nats-server*|*wireguard-go*) ;; *) continue ;; esac
  case $args in
    *s6-supervise*'/run/ployz/instances/'*) rest=$(printf '%s' "$args" | sed 's|.*/run/ployz/instances/||'); printf 'supervisor\t%s %s\n' "$(printf '%s' "$rest" | cut -d/ -f1)" "$(printf '%s' "$rest" | cut -d/ -f2)" ;;
    *ployzd.mjs*) printf 'process\tployzd %s\n' "$(printf '%s' "$args" | sed 's/.*ployzd.mjs //')" ;;
    *nats-server*) printf 'process\tnats-server\n' ;;
    *wireguard-go*) printf 'process\twireguard-go\n' ;;
  esac
done
ip netns list 2>/dev/null | while read -r ns _; do
  for pid in $(ip netns pids "$ns" 2>/dev/null); do printf 'workload\t%s %s\n' "$ns" "$(cat /proc/$pid/comm 2>/dev/null)"; done
done
${LOOK_AT_DATASETS}
true
`;

async function onMachine(
  { lab }: Cluster,
  index: number,
  named: Names,
  operations: readonly OperationSummary[],
): Promise<readonly string[]> {
  const { stdout } = await lab.sh(index, ["sh"], { input: LOOK });
  const lines = stdout.split("\n").filter((line) => line !== "");
  const pool = lines.flatMap((line) => (line.startsWith("zfs\t") ? [line.slice("zfs\t".length)] : []));
  return lines
    .filter((line) => !line.startsWith("zfs\t"))
    .map((line) => {
      const [kind = "", name = ""] = line.split("\t");
      return `${kind} ${name
        .split(" ")
        .map((word) => {
          const hash = /^pz-?([0-9a-f]{12})$/.exec(word)?.[1];
          return named(hash ?? word);
        })
        .join(" ")}`;
    })
    .filter((line) => !/^link (lo|eth0|ployz-wg0|ployz0)$/.test(line))
    .concat(inPool(pool, operations))
    .sort();
}

/**
 * The lines in which `after` differs: `+` is left over, `-` is missing. Empty: equal. With `anywhere`, committed instances may be on
 * other machines than before.
 */
export function difference(
  before: Inventory,
  after: Inventory,
  { anywhere = false } = {},
): readonly string[] {
  const flat = (inventory: Inventory) =>
    Object.entries(inventory).flatMap(([where, lines]) =>
      lines.map((line) =>
        anywhere && /^[a-z]+ .*\w\/\w/.test(line) ? line.replace(/ on m\d+$/, "") : `${where}: ${line}`,
      ),
    );
  const [old, now] = [flat(before), flat(after)];
  return [...minus(now, old).map((line) => `+ ${line}`), ...minus(old, now).map((line) => `- ${line}`)];
}

/** Counts repeated lines: two processes of a kind are not one. */
function minus(from: readonly string[], what: readonly string[]): readonly string[] {
  const left = [...what];
  return from.filter((line) => {
    const at = left.indexOf(line);
    if (at < 0) return true;
    left.splice(at, 1);
    return false;
  });
}
