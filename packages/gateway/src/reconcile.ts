import type { Slot } from "./control.ts";
import type { Desired, DesiredBackend } from "./desired.ts";
import { socketAddress } from "./desired.ts";
import { setAside } from "./render-backend.ts";
import { weightOf } from "./table.ts";

/**
 * The runtime commands that give one worker the desired servers: first those that add capacity, then those that take it
 * away, so that at no moment is a backend emptier than before or after. A server that drained counts as up when it comes back, unless
 * `asChecked`: then it gets requests only when its checks say so.
 */
export function serverCommands(
  backends: readonly DesiredBackend[],
  slots: readonly Slot[],
  checkWords: string,
  asChecked = false,
): readonly string[] {
  const adding: string[] = [];
  const removing: string[] = [];
  const byBackend = new Map<string, Slot[]>();
  for (const slot of slots) byBackend.set(slot.backend, [...(byBackend.get(slot.backend) ?? []), slot]);
  const wanted = new Map(backends.map((backend) => [backend.name, backend]));

  for (const [backend, own] of byBackend) {
    const shape = wanted.get(backend);
    if (!shape) continue; // The gateway's own, or not asked for.
    const { servers } = shape;
    const aside = `state ${setAside(shape)}`;
    const held = new Set<Slot>();
    const missing = servers.filter((server) => {
      const matches = own.filter((slot) => sameSocket(slot, server));
      const slot = matches.find((one) => one.admin !== "maint") ?? matches[0];
      if (!slot) return true;
      held.add(slot);
      if (server.drained) {
        if (slot.admin === "ready" && slot.weight > 0) removing.push(set(slot, aside));
        else if (slot.admin === "maint" && aside !== "state maint") adding.push(set(slot, aside));
      } else {
        const weight = weightOf(server);
        if (slot.admin === "ready") adding.push(...weigh(slot, weight));
        else adding.push(...activate(slot, weight, asChecked && slot.admin === "drain"));
      }
      return false;
    });
    const free = own.filter((slot) => slot.admin === "maint" && slot.sessions === 0 && !held.has(slot));
    let next = 1 + Math.max(0, ...own.map((slot) => Number(/^s(\d+)$/.exec(slot.name)?.[1] ?? 0)));
    for (const server of missing) {
      const slot = free.shift();
      const state = server.drained ? "drain" : "ready";
      if (slot) {
        adding.push(set(slot, `addr ${server.address} port ${server.port}`));
        adding.push(...(state === "ready" ? activate(slot, weightOf(server)) : [set(slot, aside)]));
      } else {
        const name = `${backend}/s${next++}`;
        adding.push(
          `add server ${name} ${socketAddress(server)} ${checkWords} weight ${weightOf(server)}`,
          `enable health ${name}`,
        );
        adding.push(state === "ready" ? `enable server ${name}` : `set server ${name} ${aside}`);
      }
    }
    for (const slot of own) if (slot.admin === "ready" && !held.has(slot)) removing.push(set(slot, aside));
  }
  return [...adding, ...removing];
}

/** Draining slots that the table no longer names. */
export function leaving(desired: Desired, slots: readonly Slot[]): readonly Slot[] {
  const wanted = new Map(desired.backends.map((backend) => [backend.name, backend.servers]));
  return slots.filter(
    (slot) =>
      slot.admin === "drain" &&
      wanted.get(slot.backend)?.some((server) => sameSocket(slot, server)) === false,
  );
}

/** How the worker differs from the table; `undefined` when it does not. */
export function difference(desired: Desired, slots: readonly Slot[], map: string): string | undefined {
  for (const backend of desired.backends) {
    const own = slots.filter((slot) => slot.backend === backend.name && slot.admin !== "maint");
    const takesNew = (slot: Slot): boolean => slot.admin === "ready" && slot.weight > 0;
    const weighed = (one: { readonly address: string; readonly port: number; readonly weight?: number }) =>
      `${socketAddress(one)}${weightOf(one) === 1 ? "" : ` (${weightOf(one)})`}`;
    const serving = own.filter(takesNew).map(weighed).sort().join(" ");
    const active = backend.servers.filter((server) => !server.drained);
    const want = active.map(weighed).sort().join(" ");
    if (serving !== want) return `${backend.name} serves from [${serving}], not [${want}]`;
  }
  const wanted = desired.map.map(([key, backend]) => `${key} ${backend}`).join("\n");
  return map === wanted ? undefined : "the route map differs";
}

/** `show map` without its pointers, sorted like the desired map. */
export function parseMap(text: string): string {
  return text
    .split("\n")
    .filter((line) => line.startsWith("0x"))
    .map((line) => line.slice(line.indexOf(" ") + 1).trimEnd())
    .sort((a, b) => ((a.split(" ")[0] ?? "") < (b.split(" ")[0] ?? "") ? -1 : 1))
    .join("\n");
}

const set = (slot: Slot, what: string): string => `set server ${slot.backend}/${slot.name} ${what}`;

const weigh = (slot: Slot, weight: number): string[] =>
  slot.weight === weight ? [] : [set(slot, `weight ${weight}`)];

/** A slot that starts serving is taken for healthy (its readiness was checked before), with its full weight. */
const activate = (slot: Slot, weight: number, asChecked = false): string[] => [
  ...weigh(slot, weight),
  ...(asChecked ? [] : [set(slot, "health up")]),
  set(slot, "state ready"),
];

function sameSocket(
  a: { readonly address: string; readonly port: number },
  b: { readonly address: string; readonly port: number },
): boolean {
  return a.port === b.port && a.address === b.address;
}
