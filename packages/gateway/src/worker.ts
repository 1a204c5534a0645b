import { type Control, onWorker, parseSlots, type Slot } from "./control.ts";
import type { Desired, DesiredBackend } from "./desired.ts";
import { PloyzError } from "./error-codes.ts";
import { parseMap, serverCommands } from "./reconcile.ts";
import { HOLD } from "./render-backend.ts";

/** One HAProxy worker over the runtime API (management guide, 9.3). */
export interface Worker {
  readonly pid: number;
  /** One command, and HAProxy's answer to it. */
  ask(command: string, payload?: string): Promise<string>;
  /** Without the places where requests wait. */
  slots(): Promise<readonly Slot[]>;
  /** The same, and the place of each backend where requests wait during a hold. */
  look(): Promise<{ readonly slots: readonly Slot[]; readonly holds: readonly HoldSlot[] }>;
  hold(backend: string, on: boolean): Promise<void>;
  /** The structure that it was started with, see `Desired.structure`. */
  structure(): Promise<string | undefined>;
  map(): Promise<string>;
  /**
   * Gives these backends, where the worker has them, the desired servers; returns the number of commands. `asChecked`: a drained server
   * that comes back gets requests only when its checks say so; without it, at once.
   */
  serve(backends: readonly DesiredBackend[], checkWords: string, asChecked?: boolean): Promise<number>;
  /** Gives the worker the desired servers and map; returns the number of commands. */
  reconcile(desired: Desired, checkWords: string): Promise<number>;
  /** Ends the sessions of a drained slot (`cut`) and frees it. */
  release(slot: Slot, cut: boolean): Promise<void>;
}

export interface HoldSlot {
  readonly backend: string;
  readonly on: boolean;
  /** Requests, or connections of a TCP route, that wait. */
  readonly waiting: number;
  /** Whether the backend has a server that takes requests. */
  readonly live: boolean;
  /** Servers that drain, by the names of their slots, and whether their checks succeed. */
  readonly aside: readonly { readonly name: string; readonly up: boolean }[];
}

/** HAProxy's answers when a command worked; any other answer explains the failure. */
const DONE = /^\s*$|^New server registered|^(no need to change|IP changed|port changed)/i;
/** A payload must fit into HAProxy's 16 KiB buffer together with its command. */
const PAYLOAD_BYTES = 12_000;

export function openWorker(control: Control, pid: number): Worker {
  const ask = (command: string, payload?: string): Promise<string> =>
    control.ask(onWorker(pid, command), payload);
  const tell = async (command: string, payload?: string): Promise<void> => {
    const answer = await ask(command, payload);
    if (!DONE.test(answer))
      throw new PloyzError({
        code: "gateway_command_refused",
        message: `HAProxy rejects ${JSON.stringify(command)}: ${answer.trim()}`,
        hint: "check that HAProxy is 2.6 or newer (haproxy -v); if it is, report this as a defect",
      });
  };
  const look: Worker["look"] = async () => {
    const all = parseSlots(await ask("show servers state"), await ask("show stat -1 4 -1"));
    const live = new Set(all.filter(takesRequests).map((slot) => slot.backend));
    return {
      slots: all.filter((slot) => slot.name !== HOLD),
      holds: all
        .filter((slot) => slot.name === HOLD)
        .map(({ backend, admin, waiting }) => ({
          ...{ backend, on: admin !== "maint", waiting, live: live.has(backend) },
          aside: all.filter((slot) => slot.backend === backend && slot.admin === "drain"),
        })),
    };
  };
  const slots = async (): Promise<readonly Slot[]> => (await look()).slots;
  const map = async (file = "routes.map"): Promise<string> => parseMap(await ask(`show map ${file}`));

  /** Resolves with the number of commands. */
  const bringMap = async (file: string, entries: readonly (readonly [string, string])[]): Promise<number> => {
    const lines = entries.map(([key, value]) => `${key} ${value}`);
    if ((await map(file)) === lines.join("\n")) return 0;
    const version = /New version created: (\d+)/.exec(await ask(`prepare map ${file}`))?.[1];
    if (version === undefined) throw new Error(`HAProxy did not prepare a new version of ${file}`);
    for (const payload of chunks(lines)) await tell(`add map @${version} ${file}`, payload);
    await tell(`commit map @${version} ${file}`);
    return 1;
  };

  const serve: Worker["serve"] = async (backends, checkWords, asChecked) => {
    const commands = serverCommands(backends, await slots(), checkWords, asChecked);
    for (const command of commands) await tell(command);
    return commands.length;
  };

  return {
    pid,
    ask,
    slots,
    look,
    map: () => map(),
    serve,
    hold: (backend, on) => tell(`set server ${backend}/${HOLD} state ${on ? "ready" : "maint"}`),
    async structure() {
      return /value=<([0-9a-f]+)>/.exec(await ask("get var proc.ployz_structure"))?.[1];
    },
    async reconcile(desired, checkWords) {
      const commands = await serve(desired.backends, checkWords);
      const https = desired.httpsOnly.length === 0 ? 0 : await bringMap("https.map", desired.httpsOnly);
      const redirects =
        desired.redirects.length === 0 ? 0 : await bringMap("redirects.map", desired.redirects);
      return commands + https + redirects + (await bringMap("routes.map", desired.map));
    },
    async release(slot, cut) {
      const name = `${slot.backend}/${slot.name}`;
      if (cut) await tell(`shutdown sessions server ${name}`);
      await tell(`set server ${name} state maint`);
    },
  };
}

const takesRequests = (slot: Slot): boolean =>
  slot.name !== HOLD && slot.admin === "ready" && slot.up && slot.weight > 0;

function* chunks(lines: readonly string[]): Generator<string> {
  let text = "";
  for (const line of lines) {
    if (text.length + line.length > PAYLOAD_BYTES) {
      yield text;
      text = "";
    }
    text += `${line}\n`;
  }
  if (text !== "") yield text;
}
