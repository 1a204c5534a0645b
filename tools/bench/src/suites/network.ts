import { type BenchLab, withLab } from "../lab.ts";
import { compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const NODE = "/usr/local/lib/ployz/current/lib/node";
const MIB = 256;
/** Reads, and answers when it has all bytes. */
const SINK = `import { createServer } from "node:net";
createServer((socket) => {
  let left = ${MIB} * 2 ** 20;
  socket.on("data", ({ length }) => (left -= length) <= 0 && socket.end("all"));
  socket.on("error", () => {});
}).listen(Number(process.env.PORT));
process.on("SIGTERM", () => process.exit(0));
`;
/** Prints the milliseconds until the other side has all. */
const SOURCE = `import { connect } from "node:net";
const part = Buffer.alloc(2 ** 18);
const socket = connect({ host: process.argv[2], port: 8080 });
let left = ${MIB} * 4;
const write = () => { while (left > 0) { left--; if (!socket.write(part)) return; } };
let begun;
socket.on("connect", () => { begun = performance.now(); write(); }).on("drain", write).on("data", () => {
  console.log(performance.now() - begun);
  socket.destroy();
});
`;
const MANIFEST = `namespace = "net"

[services.sink]
bundle = "./sink"
command = ["${NODE}", "sink.mjs"]
env = { PORT = "8080" }
ports = { tcp = 8080 }
ready = { tcp = true }
replicas = 2
`;
const FILTER = "nft list tables | grep ' ployz_' | grep -v nat";

/** Bytes from one instance to another on the same machine, with the packet filter that keeps namespaces apart and without it. */
export const networkSuite: Suite = ({ rounds, progress }) =>
  withLab({ docker: false, progress }, async (lab) => {
    await lab.startCluster();
    await write(lab, "/srv/bench/sink/sink.mjs", SINK);
    await write(lab, "/srv/bench/source.mjs", SOURCE);
    await write(lab, "/srv/bench/net.toml", MANIFEST);
    await lab.sh(["ployzctl", "deploy", "-f", "/srv/bench/net.toml"], { timeoutMs: 240_000 });
    // The daemon would put the filter back.
    await lab.sh(["ployzctl", "daemon", "stop"]);
    await lab.sh([
      "sh",
      "-ec",
      `nft list ruleset > /root/filter; ${FILTER} | sed 's/^table/delete table/' > /root/without`,
    ]);
    return [
      await compare({
        title: "Throughput between two instances of one machine",
        variants: [way(lab, WITHOUT, "nft -f /root/without"), way(lab, "with Ployz's packet filter", "true")],
        metrics: [{ name: `${MIB} MiB`, unit: "ms", better: "lower" }],
        baseline: WITHOUT,
        rounds,
        progress,
      }),
    ];
  });

const WITHOUT = "without its packet filter";

const way = (lab: BenchLab, name: string, before: string): Variant => ({
  name,
  async sample() {
    const script = `${before}
inside() { for p in /proc/[0-9]*; do
  nsenter --net=$p/ns/net ip -4 -o address show dev eth0 2>/dev/null | grep -q " 10.101.1.$1/" && { echo \${p#/proc/}; return; }
done; }
from=$(inside 2)
test -n "$from"
nsenter --net=/proc/$from/ns/net ${NODE} /srv/bench/source.mjs 10.101.1.3
(echo flush ruleset; cat /root/filter) | nft -f -`;
    const { stdout } = await lab.sh(["sh", "-ec", script], { timeoutMs: 240_000 });
    return { [`${MIB} MiB`]: Number(stdout.trim()) };
  },
});

const write = (lab: BenchLab, path: string, input: string) =>
  lab.sh(["sh", "-c", 'mkdir -p "$(dirname "$0")"; cat > "$0"', path], { input });
