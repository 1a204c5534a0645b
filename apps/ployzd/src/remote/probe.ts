import type { RemoteFacts } from "@ployz/primitives";

/**
 * Run by `sh -s -- CONDITION:PACKAGE...` on a machine that is to be added. Prints `key=value` lines. Reads only. The ports are those that
 * a member listens on (docs/configuration.md).
 */
export const PROBE = `
echo "hostname=$(hostname)"
echo "os=$(. /etc/os-release 2>/dev/null; echo "$PRETTY_NAME")"
echo "arch=$(uname -m)"
echo "uid=$(id -u)"
[ -d /run/systemd/system ] && echo systemd=yes
echo "disk=$(df -Pk /usr/local /var/lib 2>/dev/null | awk 'NR>1{if(m==""||$4<m)m=$4}END{print m}')"
command -v apt-get >/dev/null 2>&1 && echo packager=apt
for entry in "$@"; do
  p=\${entry#*:}
  case "\${entry%%:*}" in
    always) ;;
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
if [ ! -S /run/ployz/ployzd.sock ]; then
  ss -Hlun 'sport = :51820' 2>/dev/null | grep -q . && echo 'taken=udp/51820'
  ss -Hltn 'sport = :80' 2>/dev/null | grep -q . && echo 'taken=tcp/80'
fi
ip -4 -o route show 2>/dev/null | awk '{print "route=" $1}'
exit 0
`;

const ARCH: Readonly<Record<string, RemoteFacts["arch"]>> = { x86_64: "x64", aarch64: "arm64" };

/** Reads what the probe printed. */
export function parseProbe(text: string, hostKey: string): RemoteFacts {
  const lines = text
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const);
  const one = (key: string) => lines.find(([name]) => name === key)?.[1];
  const all = (key: string) => lines.filter(([name]) => name === key).map(([, value]) => value);
  const ployz = parsePloyz(one("ployz"), one("membership"));
  return {
    hostKey,
    hostname: one("hostname") ?? "",
    os: one("os") ?? "unknown",
    arch: ARCH[one("arch") ?? ""] ?? "other",
    root: one("uid") === "0",
    systemd: one("systemd") === "yes",
    diskFreeBytes: Number(one("disk") ?? 0) * 1024,
    missingPackages: all("missing"),
    packageManager: one("packager") === "apt" ? "apt" : "none",
    dockerRunning: one("docker") === "yes",
    portsTaken: all("taken"),
    routes: all("route").filter((route) => route !== "default"),
    ...(ployz !== undefined && { ployz }),
  };
}

function parsePloyz(version: string | undefined, membership: string | undefined): RemoteFacts["ployz"] {
  const json = (text: string | undefined): Record<string, unknown> => {
    try {
      const value: unknown = JSON.parse(text ?? "{}");
      return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
    } catch {
      return {}; // half an installation: it reads as none of ours and is installed again
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
