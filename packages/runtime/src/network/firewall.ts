import { ExecError, run } from "@ployz/exec";
import type { NetworkSpec } from "../runtime.ts";

/** What other programs' filters must let in, by interface or port. */
export interface Needed {
  readonly network: Pick<NetworkSpec, "bridge" | "clusterCidr">;
  readonly tunnel: string;
  readonly wireguardPort: number;
  /** TCP ports of the machine that workloads use: DNS and the gateway. */
  readonly workloadPorts: readonly number[];
}

/** A filter of another program that drops what Ployz needs, and the commands that open it. */
export interface Closed {
  readonly where: string;
  readonly loses: readonly string[];
  readonly fix: string;
}

/** Where a filter of another program stands in the way. Changes nothing: those filters are the operator's. */
export async function closedFilters(needed: Needed): Promise<readonly Closed[]> {
  const [iptables, chains] = await Promise.all([
    stdoutOf("iptables", ["-w", "-S"]),
    stdoutOf("nft", ["-j", "list", "chains"]),
  ]);
  const nft = await Promise.all(
    closedChains(chains).map(async (chain) => ({
      ...chain,
      rules: await stdoutOf("nft", ["list", "table", chain.family, chain.table]),
    })),
  );
  return [
    ...closedIptables(iptables, needed),
    ...nft.flatMap((chain) => closedNft(chain, needed)),
    ...closedFirewalld(await stdoutOf("nft", ["list", "table", "inet", "firewalld"]), needed),
  ];
}

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook: "input" | "forward";
}

/** Base chains with the policy drop in `nft -j list chains`, without Ployz's own and those of iptables. Pure. */
export function closedChains(json: string): readonly Chain[] {
  const { nftables = [] } = JSON.parse(json.trim() || "{}") as {
    readonly nftables?: readonly { readonly chain?: Chain & { readonly policy?: string } }[];
  };
  return nftables.flatMap(({ chain }) =>
    chain?.policy === "drop" &&
    ["inet", "ip"].includes(chain.family) &&
    (chain.hook === "input" || chain.hook === "forward") &&
    !/^(ployz_|filter$|firewalld$)/.test(chain.table)
      ? [chain]
      : [],
  );
}

interface Opening {
  readonly loses: string;
  /** What a rule that opens it names. */
  readonly names: string;
  readonly iptables: string;
  readonly nft: string;
}

function openings(hook: "input" | "forward", needed: Needed): readonly Opening[] {
  const { network, tunnel, wireguardPort, workloadPorts } = needed;
  const { bridge, clusterCidr } = network;
  const ports = workloadPorts.join(",");
  if (hook === "forward")
    return [
      {
        loses: "instances cannot reach other machines",
        names: bridge,
        iptables: `-s ${clusterCidr} -d ${clusterCidr} -j ACCEPT`,
        nft: `ip saddr ${clusterCidr} ip daddr ${clusterCidr} accept comment "${bridge}"`,
      },
      {
        loses: "instances cannot reach the outside",
        names: bridge,
        iptables: `-i ${bridge} -j ACCEPT`,
        nft: `iifname "${bridge}" accept`,
      },
    ];
  return [
    {
      loses: "instances lose DNS",
      names: bridge,
      iptables: `-i ${bridge} -p udp --dport 53 -j ACCEPT`,
      nft: `iifname "${bridge}" udp dport 53 accept`,
    },
    {
      loses: "instances lose the gateway",
      names: bridge,
      iptables: `-i ${bridge} -p tcp -m multiport --dports ${ports} -j ACCEPT`,
      nft: `iifname "${bridge}" tcp dport { ${ports} } accept`,
    },
    {
      loses: "other machines lose the store and transfers",
      names: tunnel,
      iptables: `-i ${tunnel} -j ACCEPT`,
      nft: `iifname "${tunnel}" accept`,
    },
    {
      loses: "other machines cannot open a tunnel",
      names: String(wireguardPort),
      iptables: `-p udp --dport ${wireguardPort} -j ACCEPT`,
      nft: `udp dport ${wireguardPort} accept`,
    },
  ];
}

const accepts = (rules: string, { names }: Opening): boolean =>
  rules.split("\n").some((line) => /accept/i.test(line) && new RegExp(`\\b${names}\\b`).test(line));

/** From `iptables -S`: INPUT with the policy DROP, or with a last rule that drops the rest. Ployz itself opens FORWARD. Pure. */
export function closedIptables(rules: string, needed: Needed): readonly Closed[] {
  const input = rules.split("\n").filter((line) => /^-[PA] INPUT /.test(line));
  const closed = input.includes("-P INPUT DROP") || /^-A INPUT -j (DROP|REJECT)\b/.test(input.at(-1) ?? "");
  if (!closed) return [];
  const missing = openings("input", needed).filter((opening) => !accepts(rules, opening));
  return shown("the INPUT chain of iptables", missing, ({ iptables }) => `iptables -I INPUT ${iptables}`);
}

function closedNft(chain: Chain & { readonly rules: string }, needed: Needed): readonly Closed[] {
  const { family, table, name, hook, rules } = chain;
  const missing = openings(hook, needed).filter((opening) => !accepts(rules, opening));
  return shown(
    `the chain ${name} of the nftables table ${table}`,
    missing,
    ({ nft }) => `nft insert rule ${family} ${table} ${name} ${nft}`,
  );
}

/** firewalld rejects at the end of its chains what no zone allows. */
function closedFirewalld(rules: string, { network, tunnel, wireguardPort }: Needed): readonly Closed[] {
  if (rules === "" || rules.includes(`"${network.bridge}"`)) return [];
  const add = `firewall-cmd --permanent --zone=trusted --add-interface=${network.bridge} --add-interface=${tunnel}`;
  const port = `firewall-cmd --permanent --add-port=${wireguardPort}/udp`;
  return [
    {
      where: "firewalld",
      loses: ["instances lose DNS and other machines"],
      fix: [add, port, "firewall-cmd --reload"].join("; "),
    },
  ];
}

const shown = (
  where: string,
  missing: readonly Opening[],
  command: (opening: Opening) => string,
): readonly Closed[] =>
  missing.length === 0
    ? []
    : [{ where, loses: missing.map(({ loses }) => loses), fix: missing.map(command).join("; ") }];

/** Empty where the program is missing or has nothing to show. */
async function stdoutOf(program: string, argv: readonly string[]): Promise<string> {
  try {
    const { exitCode, stdout } = await run(program, argv, { okExitCodes: [0, 1, 2, 3, 4] });
    return exitCode === 0 ? stdout : "";
  } catch (error) {
    if (error instanceof ExecError && error.code === "exec_not_found") return "";
    throw error;
  }
}
