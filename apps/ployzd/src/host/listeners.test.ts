import { expect, it } from "vitest";
import { conflicts, parseListeners, type Wanted } from "./listeners.ts";

const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const tcp = parseListeners(
  "tcp",
  `${HEAD}   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 x 100\n` +
    "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 x 100\n" +
    "   2: 0100650A:10DF 0100007F:0016 01 00000000:00000000 00:00000000 00000000     0        0 1 1 x 100\n",
);
const tcp6 = parseListeners(
  "tcp",
  `${HEAD}   0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1 1 x\n`,
);
const udp = parseListeners("udp", `${HEAD}  1: 00000000:CA6C 00000000:0000 07 0:0 0:0 0 0 0 1 2 x 0\n`);
const want = (protocol: "tcp" | "udp", address: string, port: number): Wanted => ({
  ...{ protocol, address, port, what: "x", fix: "x" },
});

it.each<[Wanted, boolean]>([
  [want("tcp", "0.0.0.0", 80), true],
  [want("tcp", "10.101.1.1", 80), true],
  [want("udp", "0.0.0.0", 80), false],
  [want("tcp", "0.0.0.0", 8080), true],
  [want("tcp", "10.101.1.1", 8080), false],
  [want("tcp", "127.0.0.1", 8080), true],
  [want("tcp", "0.0.0.0", 4319), false], // a connection is no listener
  [want("tcp", "10.101.1.1", 53), true], // [::] takes IPv4 too
  [want("udp", "0.0.0.0", 51820), true],
])("%j is taken: %s", (wanted, taken) => {
  expect(conflicts([wanted], [...tcp, ...tcp6, ...udp]).length > 0).toBe(taken);
});
