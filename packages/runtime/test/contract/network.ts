import { run, waitFor } from "@ployz/exec";
import { expect, test } from "vitest";
import type { Bench } from "./bench.ts";

/** How instances reach each other. */
export function networkCases(bench: Bench): void {
  test("a network that another program changed has faults until it is ensured again", async () => {
    const { machine, runtime } = bench;
    const { network } = machine;
    expect(await runtime.networkFaults(network)).toEqual([]);
    await run("ip", ["address", "flush", "dev", network.bridge]);
    await run("nft", ["delete", "table", "inet", `ployz_${network.bridge}`]);
    expect(await runtime.networkFaults(network)).toHaveLength(2);
    await runtime.ensureNetwork(network);
    expect(await runtime.networkFaults(network)).toEqual([]);
  });

  test("instances reach each other by address, with the hostname and resolver they were given", async () => {
    const { machine, runtime, sh } = bench;
    const server = machine.spec("server", sh("while :; do echo hello | nc -l -p 8080; done"));
    const client = machine.spec("client", sh("sleep 1000"));
    for (const spec of [server, client]) {
      await runtime.create({
        ...spec,
        ...(runtime.kind === "process" && { command: busybox(spec.command) }),
      });
      await runtime.start(spec.id);
    }
    const bb = runtime.kind === "process" ? ["/usr/bin/busybox"] : [];
    const answer = await waitFor(
      "the server's answer",
      async () => {
        const reply = await runtime.exec("client", [...bb, "nc", "-w", "2", server.address, "8080"], {
          timeoutMs: 5_000,
        });
        return reply.stdout === "hello\n" ? reply.stdout : undefined;
      },
      { timeoutMs: 10_000, intervalMs: 100 },
    );
    expect(answer).toBe("hello\n");
    expect(
      (await runtime.exec("client", ["sh", "-c", "hostname; cat /etc/resolv.conf /etc/hosts"])).stdout,
    ).toMatch(/^client\n(.|\n)*search prod\.cluster\.local/);
    await Promise.all(["server", "client"].map((id) => runtime.remove(id)));
  });
}

function busybox(command: readonly string[] | undefined): readonly string[] {
  return (command ?? []).map((word) => word.replaceAll("nc -l", "/usr/bin/busybox nc -l"));
}
