import type { ClusterEvent, InstanceRow } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { Usage, UsageDocument } from "../../documents.ts";
import { needTarget } from "../../names.ts";

type Sample = Extract<ClusterEvent, { type: "sample" }>;
type Instance = Pick<InstanceRow, "id" | "namespace" | "service" | "slot" | "machine">;

const SORTS = ["cpu", "memory", "name"] as const;
type Sort = (typeof SORTS)[number];

/** Live until Ctrl-C on a terminal; elsewhere one measurement. */
export async function top(context: Context, input: Input): Promise<UsageDocument> {
  const target = input.argument("target");
  if (target !== undefined) await needTarget("TARGET", target);
  const sort: Sort = SORTS.find((one) => one === input.text("sort")) ?? "cpu";
  const live = context.terminal.out.tty && !input.flag("once") && !context.globals.json;
  const client = await context.client();
  const stop = new AbortController();
  const release = context.terminal.onInterrupt(() => stop.abort());
  const signal = AbortSignal.any([stop.signal, context.signal]);
  const [namespace, service] = target?.split("/") ?? [];
  const query = {
    ...(namespace !== undefined && { namespace }),
    ...(service !== undefined && { service }),
  };
  const { instances } = await client.request("GET /v1/ps", { query, signal });
  const events = client.stream("GET /v1/events", { query: { follow: "true", samples: "true" }, signal });
  async function* measured(): AsyncGenerator<Usage> {
    try {
      for await (const one of usages(events, instances, { target, sort })) {
        yield one;
        if (!live) return;
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      release();
      stop.abort();
    }
  }
  return { kind: "usage", live, events: measured() };
}

/** A measurement for every sample but the first: CPU is a difference of two. Pure but for what it reads. */
export async function* usages(
  events: AsyncIterable<ClusterEvent>,
  present: readonly Instance[],
  { target, sort }: { readonly target: string | undefined; readonly sort: Sort },
): AsyncGenerator<Usage> {
  const known = new Map(present.map((one) => [one.id, one]));
  let before: Sample | undefined;
  for await (const event of events) {
    if (event.type === "instance") {
      const { id, namespace, service, machine } = event;
      known.set(id, { id, namespace, service, machine, slot: Number(id.split(".")[2]) || 0 });
    }
    if (event.type !== "sample") continue;
    if (before !== undefined) yield usageOf(before, event, known, { target, sort });
    before = event;
  }
}

function usageOf(
  before: Sample,
  now: Sample,
  known: ReadonlyMap<string, Instance>,
  { target, sort }: { readonly target: string | undefined; readonly sort: Sort },
): Usage {
  const seconds = (Date.parse(now.at) - Date.parse(before.at)) / 1000;
  const earlier = new Map(before.instances.map(({ id, cpuNanos }) => [id, cpuNanos]));
  const instances = now.instances.flatMap(({ id, memoryBytes, cpuNanos }): Usage["instances"] => {
    const instance = known.get(id);
    if (instance === undefined || !isOf(instance, target)) return [];
    const { namespace, service, slot, machine } = instance;
    const nanos = earlier.get(id);
    // A restarted instance counts from zero.
    const counted = cpuNanos !== undefined && nanos !== undefined && cpuNanos >= nanos && seconds > 0;
    return [
      {
        ...{ id, namespace, service, slot, machine },
        ...(counted && { cores: (cpuNanos - nanos) / 1e9 / seconds }),
        ...(memoryBytes !== undefined && { memoryBytes }),
      },
    ];
  });
  const by = { cpu: "cores", memory: "memoryBytes" } as const;
  return {
    kind: "usage",
    at: now.at,
    seconds,
    machines: [...now.machines].sort((a, b) => (a.machine < b.machine ? -1 : 1)),
    instances: [...instances].sort(
      (a, b) => (sort === "name" ? 0 : (b[by[sort]] ?? -1) - (a[by[sort]] ?? -1)) || (a.id < b.id ? -1 : 1),
    ),
  };
}

const isOf = ({ namespace, service }: Instance, target: string | undefined): boolean =>
  target === undefined || target === namespace || target === `${namespace}/${service}`;
