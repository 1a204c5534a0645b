/** Runs inside a simulated machine: requests as JSON lines on stdin, replies on stdout. Exits when stdin closes. */
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { identify, isAlive, openServiceHost, run, signalProcess, waitFor } from "@ployz/exec";
import { measureRtt, openWireguard, type Peer, probePath, type Wireguard } from "@ployz/wireguard";
import { joinOverlay } from "../examples/one-machine.ts";

const [dir = ""] = process.argv.slice(2);
const services = await openServiceHost({ kind: "s6", dir: "/run/services", logDir: `${dir}/log` });
const open = () => openWireguard({ name: "ployz-wg0", dir, services });
let wireguard: Wireguard = open();

const methods = {
  probe: () => wireguard.probe(),
  reopen: async () => {
    wireguard = open();
  },
  join: async (index: number) => {
    const joined = await joinOverlay(dir, index, "/run/services");
    wireguard = joined.wireguard;
    return joined.self;
  },
  ensure: (options: Parameters<Wireguard["ensure"]>[0]) => wireguard.ensure(options),
  setPeers: (peers: readonly Peer[]) => wireguard.setPeers(peers),
  status: async () => (await wireguard.status()) ?? null,
  waitForHandshake: (keys: readonly string[], timeoutMs: number) =>
    wireguard.waitForHandshake(keys, { timeoutMs }),
  remove: () => wireguard.remove(),
  rtt: (address: string, timeoutMs: number) => measureRtt(address, { timeoutMs }),
  path: (address: string, bytes: number) => probePath(address, bytes),
  exec: async (program: string, ...args: string[]) => (await run(program, args)).stdout,
  service: () => services.status("ployz-wireguard"),
  killTunnel: async () => {
    const { pid } = await services.status("ployz-wireguard");
    const identity = pid === undefined ? undefined : await identify(pid);
    if (identity === undefined) throw new Error("wireguard-go does not run");
    await signalProcess(identity, "SIGKILL");
    await waitFor("it to die", async () => ((await isAlive(identity)) ? undefined : true), {
      timeoutMs: 2_000,
    });
  },
  echo: (port: number) =>
    new Promise<void>((resolve) => {
      const socket = createSocket("udp4", (message, from) => socket.send(message, from.port, from.address));
      socket.bind(port, "0.0.0.0", resolve);
    }),
  /** Sends numbered datagrams at a fixed rate; reports how many came back. */
  flow: async (address: string, port: number, count: number, intervalMs: number) => {
    const back = new Set<string>();
    const socket = createSocket("udp4", (message) => back.add(message.toString()));
    for (let n = 0; n < count; n++) {
      socket.send(String(n), port, address);
      await delay(intervalMs);
    }
    await delay(200);
    socket.close();
    return { sent: count, received: back.size };
  },
};

export type AgentMethods = typeof methods;

const reply = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
reply({ id: 0 });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, args } = JSON.parse(line) as { id: number; method: keyof AgentMethods; args: never[] };
  const call = methods[method] as (...args: unknown[]) => Promise<unknown>;
  call(...args).then(
    (result) => reply({ id, result }),
    (error: { code?: string; message: string; stack?: string }) =>
      reply({ id, error: { code: error.code, message: error.message, stack: error.stack } }),
  );
}
process.exit(0);
