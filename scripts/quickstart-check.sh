#!/usr/bin/env bash
# Runs the quickstart twice and removes it, in its own namespaces (mounts, network, processes), so that it does not change this machine;
# then checks for leftovers.
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
cd "$ployz_root"

if [ "${1:-}" != --inside ]; then
  [ $# -eq 0 ] || { echo "usage: quickstart-check.sh" >&2; exit 2; }
  [ "$(id -u)" = 0 ] || { echo "quickstart-check.sh: run it as root" >&2; exit 2; }
  # The first build runs outside, with network access.
  tools/release/build-payload >/dev/null
  # tini reaps children, and kills everything in the namespace when it exits. Ending this script ends tini.
  exec unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
    "$(command -v tini || command -v tini-static)" -- "$0" --inside
fi

layers=/mnt
mount -t tmpfs -o mode=0755 ployz-check "$layers"
for path in /usr/local /etc /var/lib /var/log; do
  name=${path//\//-}
  mkdir -p "$layers/$name/upper" "$layers/$name/work"
  mount -t overlay ployz-check -o "lowerdir=$path,upperdir=$layers/$name/upper,workdir=$layers/$name/work" "$path"
done
mount -t tmpfs -o mode=0755 ployz-check /run
mkdir -p /run/lock /run/zfs
ip link set lo up
ip link add eth0 type veth peer name uplink
ip address add 192.0.2.10/24 dev eth0
ip link set uplink up
ip link set eth0 up
ip route add default via 192.0.2.1

problems=0
problem() { echo "quickstart-check: $1"; problems=$((problems + 1)); }
links() { ip -brief link show | awk '{ sub(/@.*/, "", $1); print $1 }' | sort | tr '\n' ' '; }
links_before=$(links)
# Hide an existing Ployz of this machine, which shows through the layers.
rm -rf /usr/local/lib/ployz /usr/local/bin/ployzctl /usr/local/bin/ployzd /var/lib/ployz /etc/ployz

for round in first second; do
  output=$(scripts/quickstart.sh 2>&1) || { printf '%s\n' "$output"; problem "the $round quickstart failed"; break; }
  printf '%s\n' "$output"
  [ "$(grep -c '(from ' <<<"$output")" = 3 ] || problem "the $round quickstart did not show three answers"
done
scripts/quickstart.sh --down || problem "quickstart.sh --down failed"
scripts/quickstart.sh --down || problem "a second --down failed"

for path in /usr/local/lib/ployz /usr/local/bin/ployzctl /usr/local/bin/ployzd /var/lib/ployz /etc/ployz /run/ployz; do
  [ ! -e "$path" ] || problem "$path was left: $(find "$path" 2>/dev/null | head -n 5 | tr '\n' ' ')"
done
[ "$(links)" = "$links_before" ] || problem "network interfaces were left: $(links)"
left=$(ps -eo pid=,args= | awk '/nats-server|haproxy|ployz|wireguard-go|zfs-fuse|s6-/ && !/quickstart-check|awk/')
[ -z "$left" ] || problem "processes were left: $left"
[ -z "$(ip netns list)" ] || problem "network namespaces were left: $(ip netns list)"
exit $((problems > 0))
