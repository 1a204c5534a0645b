import type { Cluster } from "./cluster.ts";

/**
 * Everything of Ployz left on machine `i`, one line each: units, processes, links, packet filters, network namespaces, control groups and
 * files. The payload, which `install.sh --remove` takes away, and the lab's own files do not count.
 */
export async function leftovers({ lab }: Cluster, i: number): Promise<readonly string[]> {
  const { stdout } = await lab.sh(i, ["sh", "-c", LOOK], { timeoutMs: 60_000 });
  return stdout.split("\n").filter((line) => line !== "");
}

const LOOK = `
ls /etc/systemd/system /etc/init.d 2>/dev/null | grep -i ploy | sed 's/^/unit: /'
[ -d /run/systemd/system ] && systemctl list-units --all --plain --no-legend 'ploy*' | sed 's/^/unit: /'
ps -eo args= | grep -E 'ployz|s6-|haproxy|nats-server|wireguard-go' | grep -v grep | sed 's/^/process: /'
ip -brief link | grep -E '^(ployz|veth)' | sed 's/^/link: /'
nft list tables | grep ployz | sed 's/^/filter: /'
iptables -S 2>/dev/null | grep ployz | sed 's/^/filter: /'
ip netns | sed 's/^/netns: /'
find /sys/fs/cgroup -maxdepth 2 -name 'ployz*' | sed 's/^/cgroup: /'
find / -xdev -iname '*ployz*' -not -path '/usr/local/*' -not -path '/usr/lib/ployz-lab*' -not -path '/root/*' -prune 2>/dev/null | sed 's/^/file: /'
ls -d /run/ployz 2>/dev/null | sed 's/^/file: /'
if docker version >/dev/null 2>&1; then
  docker ps -aq --filter label=ployz.runtime.identity | sed 's/^/container: /'
  docker network ls --format '{{.Name}}' | grep ployz | sed 's/^/network: /'
fi
true
`;
