import type { RemoteFacts } from "@ployz/primitives/protocol";

/**
 * Run by `sh -s -- CONDITION:PACKAGE...` on a machine to add. Prints `key=value` lines. Reads only. The ports are those that
 * a member listens on (docs/configuration.md).
 */
export const PROBE = `
echo "hostname=$(hostname)"
echo "os=$(. /etc/os-release 2>/dev/null; echo "$PRETTY_NAME")"
echo "arch=$(uname -m)"
echo "uid=$(id -u)"
echo "time=$(date +%s)"
[ -d /run/systemd/system ] && echo systemd=yes
df -Pk /usr/local /var/lib "\${TMPDIR:-/tmp}" 2>/dev/null | awk 'NR>1&&(m==""||$4<m){m=$4;w=$6}END{print "disk=" m "\\ndiskAt=" w}'
command -v apt-get >/dev/null 2>&1 && echo packager=apt
for entry in "$@"; do
  p=\${entry#*:}
  case "\${entry%%:*}" in
    always) ;;
    no-runc) command -v runc >/dev/null 2>&1 || [ -x /usr/sbin/runc ] && continue ;;
    no-kernel-wireguard) [ -d /sys/module/wireguard ] && continue; modprobe -nq wireguard 2>/dev/null && continue ;;
    *) continue ;;
  esac
  s=$(dpkg-query -W -f='\${db:Status-Status}' "$p" 2>/dev/null)
  [ "$s" = installed ] || echo "missing=$p"
done
[ -S /var/run/docker.sock ] && command -v docker >/dev/null 2>&1 && docker version >/dev/null 2>&1 && echo docker=yes
if [ -x /usr/local/bin/ployzctl ]; then
  echo "ployz=$(tr -d '\\n' </usr/local/lib/ployz/current/version.json 2>/dev/null)"
  [ -r /var/lib/ployz/membership.json ] && echo "membership=$(tr -d '\\n' </var/lib/ployz/membership.json)"
fi
[ -e /etc/ployz/release.pub ] && echo "releaseKey=$(grep -v -e '^-----' /etc/ployz/release.pub | tr -d ' \\t\\r\\n')"
# Whether a program listens: PROTOCOL PORT any|everywhere. An IPv6 wildcard covers IPv4 too.
listens() {
  [ "$1" = tcp ] && state=0A || state=07
  cat "/proc/net/$1" "/proc/net/\${1}6" 2>/dev/null | awk -v port="$(printf ':%04X$' "$2")" -v state="$state" -v any="$3" \\
    '$4 == state && $2 ~ port && (any == "any" || $2 ~ /^0+:/) { found = 1 } END { exit !found }'
}
taken() {
  listens "$@" || return 0
  who=$(ss -Hln"$(echo "$1" | cut -c1)"p "sport = :$2" 2>/dev/null | sed -n 's/.*users:(("\\([^"]*\\)".*/ (\\1)/p' | head -n 1)
  echo "taken=$1/$2$who"
}
conf() {
  v=$(awk -F= -v name="$1" '{ sub(/#.*/, ""); gsub(/[][ \\t"\\047]/, ""); sub(/,.*/, "") } $1 == name { print $2; exit }' /etc/ployz/config.toml 2>/dev/null)
  case $v in *[!0-9.:]* | '') echo "$2" ;; *) echo "$v" ;; esac
}
# On a member, services of the add itself hold them.
if [ ! -e /sys/class/net/ployz-wg0 ] && [ ! -e /var/lib/ployz/membership.json ]; then
  taken udp "$(conf wireguard_port 51820)" any
  gateway=$(conf gateway_listen 0.0.0.0:80)
  [ "\${gateway%:*}" = 0.0.0.0 ] && where=any || where=everywhere
  taken tcp "\${gateway##*:}" "$where"
  taken tcp "$(conf transfer_port 4319)" everywhere
  taken udp 53 everywhere
  taken tcp 53 everywhere
fi
ip -4 -o route show 2>/dev/null | awk '{print "route=" $1}'
exit 0
`;

const ARCH: Readonly<Record<string, RemoteFacts["arch"]>> = { x86_64: "x64", aarch64: "arm64" };

/** Parses the probe's output. */
export function parseProbe(text: string, hostKey: string, nowMs: number): RemoteFacts {
  const lines = text
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const);
  const one = (key: string) => lines.find(([name]) => name === key)?.[1];
  const all = (key: string) => lines.filter(([name]) => name === key).map(([, value]) => value);
  const diskAt = one("diskAt");
  const clockOffMs = Number(one("time") ?? nowMs / 1000) * 1000 - nowMs;
  const releaseKey = one("releaseKey");
  const ployz = parsePloyz(one("ployz"), one("membership"));
  return {
    hostKey,
    hostname: one("hostname") ?? "",
    os: one("os") ?? "unknown",
    arch: ARCH[one("arch") ?? ""] ?? "other",
    root: one("uid") === "0",
    systemd: one("systemd") === "yes",
    diskFreeBytes: Number(one("disk") ?? 0) * 1024,
    ...(diskAt !== undefined && { diskAt }),
    missingPackages: all("missing"),
    packageManager: one("packager") === "apt" ? "apt" : "none",
    dockerRunning: one("docker") === "yes",
    portsTaken: all("taken"),
    routes: all("route").filter((route) => route !== "default"),
    ...(ployz !== undefined && { ployz }),
    ...(releaseKey !== undefined && { releaseKey }),
    ...(Math.abs(clockOffMs) >= 60_000 && { clockOffMs }),
  };
}

function parsePloyz(version: string | undefined, membership: string | undefined): RemoteFacts["ployz"] {
  const json = (text: string | undefined): Record<string, unknown> => {
    try {
      const value: unknown = JSON.parse(text ?? "{}");
      return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
    } catch {
      return {}; // an incomplete installation: treat it as none, and install again
    }
  };
  const { version: number, build } = json(version);
  if (typeof number !== "string" || typeof build !== "string") return undefined;
  const { cluster, machine } = json(membership) as {
    cluster?: { id?: string } | null;
    machine?: { id?: string; operation?: string } | null;
  };
  return {
    version: number,
    build,
    ...(typeof cluster?.id === "string" && { cluster: cluster.id }),
    ...(typeof machine?.id === "string" && { machine: machine.id }),
    ...(typeof machine?.operation === "string" && { joinedBy: machine.operation }),
  };
}
