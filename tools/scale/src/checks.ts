import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Gateway, RouteTable } from "@ployz/gateway";
import type { Figure } from "./curve.ts";

const WATCH_MS = 10_000;
/** Of /proc/PID/stat: USER_HZ, 100 on every Linux of today (proc(5)). */
const TICK_MS = 10;

/** What health checks of instances that answer cost one gateway, and the instances. */
export async function checkFigures(
  gateway: Gateway,
  table: RouteTable,
  dir: string,
): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const kind of ["tcp", "http"] as const) {
    let connections = 0;
    const server = createServer((_, response) => response.end());
    server.on("connection", () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", 4096, resolve));
    try {
      await gateway.apply(answering(table, (server.address() as AddressInfo).port, kind));
      await sleep(WATCH_MS / 2); // all are found up
      const [before, own, seen] = [await workerMs(dir), process.cpuUsage(), connections];
      await sleep(WATCH_MS);
      const seconds = WATCH_MS / 1_000;
      const { user, system } = process.cpuUsage(own);
      const checks = connections - seen;
      figures.push({
        name: `${kind} checks: HAProxy's processor time`,
        unit: "ms/s",
        value: ((await workerMs(dir)) - before) / seconds,
      });
      // A connection without data ends before the instance's program hears of it.
      if (checks > 0)
        figures.push(
          { name: `${kind} checks of one gateway, seen`, unit: "1/s", value: checks / seconds },
          {
            name: `${kind} checks: processor time of a Node that answers`,
            unit: "µs each",
            value: (user + system) / checks,
          },
        );
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
  return figures;
}

/** The same table, with instances that all answer: each has an address of loopback. */
function answering(table: RouteTable, port: number, kind: "tcp" | "http"): RouteTable {
  const addresses = new Map<string, string>();
  const addressOf = (id: string) => {
    const at = addresses.size + 1;
    const address = addresses.get(id) ?? `127.1.${at >> 8}.${at & 255}`;
    addresses.set(id, address);
    return address;
  };
  const check = kind === "http" ? ({ kind, path: "/" } as const) : ({ kind } as const);
  return {
    version: `${table.version} ${kind}`,
    routes: table.routes.map((route) =>
      route.kind === "redirect"
        ? route
        : {
            ...route,
            backend: {
              ...route.backend,
              check,
              servers: route.backend.servers.map((server) => ({
                ...server,
                ...{ address: addressOf(server.id), port },
              })),
            },
          },
    ),
  };
}

/** Processor time of the HAProxy of a folder so far. */
async function workerMs(dir: string): Promise<number> {
  let ticks = 0;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)))
    try {
      const args = await readFile(`/proc/${pid}/cmdline`, "utf8");
      if (!args.includes("haproxy") || !args.includes(dir)) continue;
      const stat = await readFile(`/proc/${pid}/stat`, "utf8");
      const [user = 0, system = 0] = stat
        .slice(stat.lastIndexOf(")") + 2)
        .split(" ")
        .slice(11, 13)
        .map(Number);
      ticks += user + system;
    } catch {
      // It ended meanwhile.
    }
  return ticks * TICK_MS;
}
