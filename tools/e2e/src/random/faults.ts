import { setTimeout as delay } from "node:timers/promises";
import { signalProcess } from "@ployz/exec";
import type { Cluster } from "../cluster.ts";
import { atEvent, processesOf } from "../kill.ts";
import type { Started } from "../started.ts";
import type { Fault, Harm, PROGRAMS } from "./plan.ts";

const ARGV: Readonly<Record<(typeof PROGRAMS)[number], RegExp>> = {
  ployzd: /\/ployzd\.mjs\0run\0/,
  "ployz-gateway": /\/ployzd\.mjs\0gateway\0/,
  "ployz-dns": /\/ployzd\.mjs\0dns\0/,
  haproxy: /^[^\0]*haproxy\0/,
  "nats-server": /^[^\0]*nats-server\0/,
};

/** All but 2 MiB of the pool. */
const FILL_POOL = `set -e
free=$(zfs get -Hp -o value available tank)
zfs create -o mountpoint=none -o refreservation=$((free - 2097152)) tank/filler`;
const FREE_POOL = "! zfs list tank/filler >/dev/null 2>&1 || zfs destroy tank/filler";
const FILL_STATE =
  'mount -o remount,size="$(df -k --output=used /var/lib/ployz | tail -1 | tr -d " ")"k /var/lib/ployz';
const FREE_STATE = "mount -o remount,size=2g /var/lib/ployz";

/** Injects a fault at its moment, ends it after its time, and resolves with what happened. `first` is the round's first command. */
export async function suffer(
  cluster: Cluster,
  { harm, when }: Fault,
  first: Promise<Started | undefined>,
): Promise<string> {
  await moment(when, first);
  try {
    await begin(cluster, harm);
    if (!("lastsMs" in harm)) return "done";
    await delay(harm.lastsMs);
    // Partitions and losses end together: one of them may end before its time.
    await end(cluster, harm);
    return "done and ended";
  } catch (error) {
    return `not so: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`;
  }
}

async function moment(when: Fault["when"], first: Promise<Started | undefined>): Promise<void> {
  if ("afterMs" in when) return delay(when.afterMs);
  const running = await first;
  if (running === undefined) return;
  if ("event" in when) return void (await atEvent(running, when.event));
  const wanted = when.first;
  await running.event(({ type, state }) => type === wanted || state === wanted).catch(() => {});
}

async function begin(cluster: Cluster, harm: Harm): Promise<void> {
  const { lab } = cluster;
  switch (harm.kind) {
    case "kill": {
      const found = await processesOf(cluster, harm.machine, ARGV[harm.program]);
      await Promise.all(found.map((process) => signalProcess(process, "SIGKILL")));
      return;
    }
    case "pause":
      return lab.pause(harm.machine);
    case "power":
      return lab.cut(harm.machine);
    case "partition":
      return lab.partition(...harm.between);
    case "loss":
      return lab.lose(harm.machine, harm.percent);
    case "full-pool":
      return void (await lab.sh(harm.machine, ["sh", "-c", FILL_POOL]));
    case "full-state":
      return void (await lab.sh(lab.addresses.length, ["sh", "-c", FILL_STATE]));
  }
}

async function end({ lab }: Cluster, harm: Harm): Promise<void> {
  switch (harm.kind) {
    case "kill":
      return;
    case "pause":
      return lab.resume(harm.machine);
    case "power":
      return lab.on(harm.machine);
    case "partition":
    case "loss":
      return lab.heal();
    case "full-pool":
      return void (await lab.sh(harm.machine, ["sh", "-c", FREE_POOL]));
    case "full-state":
      return void (await lab.sh(lab.addresses.length, ["sh", "-c", FREE_STATE]));
  }
}

/** Whatever faults there were: the network is whole, all machines run, and disks have room. */
export async function endAll({ lab }: Cluster): Promise<void> {
  const machines = lab.addresses.map((_, index) => index + 1);
  await lab.heal();
  await Promise.all(machines.map((machine) => lab.resume(machine)));
  for (const machine of machines) await lab.on(machine);
  await Promise.all(machines.map((machine) => lab.sh(machine, ["sh", "-c", FREE_POOL])));
  await lab.sh(machines.length, ["sh", "-c", FREE_STATE]);
}
