import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { systemClock } from "@ployz/ployzd/parts";
import { createMemoryMachines } from "@ployz/primitives/testing";
import { type Agent, openAgent } from "./agents/agent.ts";
import { type Assignment, fillKernels, nowMs, type Told } from "./agents/protocol.ts";
import { BUNDLE } from "./world.ts";

// Many agents in one process. Lines on standard input: `usage` asks for memory and processor time so far. Its end ends the process.
const tell = (told: Told) => void process.stdout.write(`${JSON.stringify(told)}\n`);
const { agents, ...setting } = JSON.parse(await readFile(process.argv[2] ?? "", "utf8")) as Assignment;
const kernels = createMemoryMachines({ clock: systemClock, machines: setting.members.map(({ id }) => id) });
fillKernels(kernels, agents);
for (const { id } of setting.members) kernels.machine(id).bundles.add(BUNDLE);
const opened: Agent[] = [];
// One after the other: each connection signs with its key, and fifty agents have one thread for what as many machines do at once.
for (const { record, seed, projects } of agents) {
  const one = await openAgent(
    {
      ...{ ...setting, kernels },
      applied: (machine, what, namespace, revision) =>
        tell({ type: "applied", machine, what, namespace, revision, at: nowMs() }),
    },
    { record, seed, projects },
  );
  void one.synced().then(() => tell({ type: "synced", machine: record.id, at: nowMs() }));
  await one.nats.session.link();
  opened.push(one);
}
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== "usage") continue;
  const { user, system } = process.cpuUsage();
  const rssBytes = process.memoryUsage.rss();
  tell({ type: "usage", agents: agents.length, rssBytes, cpuMs: (user + system) / 1_000 });
}
await Promise.all(opened.map((one) => one.close()));
process.exit(0);
