import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openServiceHost, stopS6 } from "@ployz/exec";
import { type Gateway, openGateway, type RouteTable } from "@ployz/gateway";
import { buildTable, type Head } from "@ployz/ployzd/parts";
import { checkFigures } from "./checks.ts";
import { type Figure, quantile, type Suite } from "./curve.ts";
import { freePorts } from "./free-port.ts";
import { timed } from "./timed.ts";
import { deployedWorld } from "./world.ts";

const ROUNDS = 3;
/** See `checkIntervalMs` of the gateway. */
const CHECKS_PER_SECOND = 1_000 / 750;

/** The gateway of one machine, on a real HAProxy: its table has the instances of all machines. */
export const gateway: Suite = async ({ machines, progress }) => {
  progress("deploying namespaces in memory");
  const { store } = (await deployedWorld(machines)).ports;
  const heads = (await store.commits.heads()).map(({ value, revision }) => ({ commit: value, revision }));
  const dir = await mkdtemp(join(tmpdir(), "ployz-scale-gateway-"));
  const services = await openServiceHost({
    kind: "s6",
    dir: join(dir, "services"),
    logDir: join(dir, "log"),
  });
  try {
    const [port = 0] = await freePorts(1);
    await mkdir(join(dir, "gateway"));
    const opened = await openGateway({ dir: join(dir, "gateway"), listen: `127.0.0.1:${port}`, services });
    try {
      progress("HAProxy");
      const figures = await measure(opened, heads, machines);
      progress("health checks");
      return [...figures, ...(await checkFigures(opened, tableOf(heads, "checks"), dir))];
    } finally {
      await opened.stop();
      opened.close();
    }
  } finally {
    await stopS6(join(dir, "services"));
    await rm(dir, { recursive: true, force: true });
  }
};

async function measure(
  gateway: Gateway,
  heads: readonly Head[],
  machines: number,
): Promise<readonly Figure[]> {
  const all = tableOf(heads, "0");
  const servers = new Set(
    all.routes.flatMap((route) => (route.kind === "redirect" ? [] : route.backend.servers)),
  );
  const start = await timed(() => gateway.apply(all));
  const reloads: number[] = [];
  const changes: number[] = [];
  const [first, ...rest] = heads;
  if (first === undefined) throw new Error("no namespace");
  for (let round = 1; round <= ROUNDS; round++) {
    reloads.push(await applied(gateway, "reload", tableOf(rest, `without ${round}`)));
    reloads.push(await applied(gateway, "reload", tableOf(heads, `with ${round}`)));
    changes.push(
      await applied(gateway, "runtime", tableOf([moved(first, round), ...rest], `moved ${round}`)),
    );
    await gateway.apply(tableOf(heads, `back ${round}`));
  }
  return [
    { name: "HAProxy, first start", unit: "ms", value: start },
    { name: "HAProxy, a namespace's routes come or go (reload)", unit: "ms", value: quantile(reloads, 0.5) },
    { name: "HAProxy, instances of one service replaced", unit: "ms", value: quantile(changes, 0.5) },
    { name: "routed servers", unit: "", value: servers.size },
    { name: "health checks of one gateway", unit: "1/s", value: servers.size * CHECKS_PER_SECOND },
    {
      name: "health checks that one instance gets from all gateways",
      unit: "1/s",
      value: machines * CHECKS_PER_SECOND,
    },
  ];
}

async function applied(gateway: Gateway, expected: "reload" | "runtime", table: RouteTable): Promise<number> {
  let changed = "";
  const ms = await timed(async () => {
    changed = (await gateway.apply(table)).changed;
  });
  if (changed !== expected) throw new Error(`the gateway did ${changed}, not ${expected}`);
  return ms;
}

function tableOf(heads: readonly Head[], version: string): RouteTable {
  const { table, dropped } = buildTable(heads);
  if (dropped.length > 0) throw new Error(`dropped ${dropped.join(", ")}`);
  return { ...table, version };
}

/** The same with other addresses for the instances of its first routed service. */
function moved({ commit, revision }: Head, round: number): Head {
  const service = commit.routes[0]?.service;
  const instances = commit.instances.map((instance, index) =>
    instance.service === service ? { ...instance, address: `10.102.${round}.${index + 1}` } : instance,
  );
  return { revision: revision + round, commit: { ...commit, instances } };
}
