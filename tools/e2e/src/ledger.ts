import { join } from "node:path";
import { type Cluster, fixtures, node } from "./cluster.ts";
import { install } from "./traffic.ts";

export const LEDGER = "ledger.example.test";

/** A web service, and a ledger with a volume, both routed. */
export function ledgerManifest(
  options: { readonly version?: string; readonly namespace?: string; readonly machine?: string } = {},
): string {
  const { version = "v1", namespace = "prod", machine } = options;
  const constraints = machine === undefined ? "" : `constraints = { machines = ["${machine}"] }\n`;
  return `namespace = "${namespace}"

[services.web]
bundle  = "./web"
command = ["${node}", "server.mjs"]
env     = { VERSION = "${version}" }
ports   = { http = 8080 }
routes  = [{ host = "www.example.test" }]
ready   = { http = "/healthz", timeout = "30s" }
drain   = "2s"

[services.ledger]
bundle  = "./ledger"
command = ["${node}", "--no-warnings", "server.mjs"]
env     = { VERSION = "${version}" }
ports   = { http = 8080 }
routes  = [{ host = "${LEDGER}" }]
ready   = { http = "/healthz", timeout = "30s" }
drain   = "2s"
volumes = { data = "/data" }
${constraints}
[volumes.data]
quota = "1G"
`;
}

export const ledgerBundles = { web: join(fixtures, "web"), ledger: join(fixtures, "ledger") };

export interface Written {
  readonly sent: number;
  readonly acknowledged: readonly number[];
  /** Number of the row, and the HTTP status or the error. */
  readonly failures: readonly (readonly [number, unknown])[];
  readonly longestGapMs: number;
}

/** Writes rows, numbered from `first` on, through the gateway of machine `i` until it is stopped. */
export interface Writer extends AsyncDisposable {
  end(): Promise<Written>;
}

export async function writer(
  { lab }: Cluster,
  i: number,
  host: string = LEDGER,
  everyMs = 10,
  first = 1,
): Promise<Writer> {
  const script = "/root/ledger-client.mjs";
  await install(lab, i, "ledger-client.mjs", script);
  const done = `/run/ledger-client.${host}.done`;
  await lab.sh(i, ["rm", "-f", done]);
  const loop = 'until [ -e "$1" ]; do sleep 0.1; done | "$2" "$3" http://127.0.0.1/ "$4" "$5" "$6"';
  const argv = ["sh", "-c", loop, "sh", done, node, script, host, String(everyMs), String(first)] as const;
  const running = lab.sh(i, argv, { timeoutMs: 3_600_000 }); // emulated machines need more than ten minutes for three migrations
  running.catch(() => {}); // reported to the caller of its end
  const end = async () => {
    await lab.sh(i, ["touch", done]);
    return JSON.parse((await running).stdout) as Written;
  };
  return { end, [Symbol.asyncDispose]: async () => void (await end().catch(() => {})) };
}

/** A ledger's rows, read through the gateway of machine `i`. */
export async function rowsOf(cluster: Cluster, i: number, host: string = LEDGER): Promise<readonly number[]> {
  const { status, body } = await cluster.get(i, host, "/rows");
  if (status !== 200) throw new Error(`m${i} answered ${status}: ${body}`);
  return JSON.parse(body) as readonly number[];
}

/** Acknowledged rows that are missing. */
export function lost(acknowledged: readonly number[], rows: readonly number[]): readonly number[] {
  const there = new Set(rows);
  return acknowledged.filter((n) => !there.has(n));
}
