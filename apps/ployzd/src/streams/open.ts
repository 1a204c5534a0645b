import type { Duplex } from "node:stream";
import { errorBody } from "@ployz/errors";
import { shaped } from "@ployz/primitives/host";
import {
  type Channel,
  type Commit,
  FRAME,
  type Instance,
  InstanceAsk,
  openChannel,
  operationTail,
  type Store,
  StreamAsk,
  type StreamOpened,
} from "@ployz/primitives/protocol";
import type { Attached, Runtime } from "@ployz/runtime";
import { operationIds } from "../clock.ts";
import { PloyzError } from "../error-codes.ts";
import type { AskPeer } from "../peers/ask.ts";
import type { PeerHandlers } from "../peers/serve.ts";
import type { Connect, TransferServer } from "../transfer/server.ts";
import { openHeartbeat } from "./heartbeat.ts";
import type { Leftovers } from "./leftovers.ts";
import { needRunning, openProgram } from "./programs.ts";
import { recordStream } from "./record.ts";
import { relay } from "./relay.ts";
import { serveProgram } from "./serve.ts";
import { refuseSingleWriter } from "./single-writer.ts";

/** Starts one-off instances on this machine. */
export interface RunPrograms {
  start(ask: Extract<InstanceAsk, { kind: "run" }>): Promise<Attached>;
}

/** Runs programs in instances that wait for one. */
export interface SessionPrograms {
  attach(id: string, open: () => Promise<Attached>): Promise<Attached>;
}

export interface StreamDeps {
  readonly self: string;
  readonly runtime: Runtime;
  readonly leftovers: Leftovers;
  readonly runs: RunPrograms;
  readonly sessions: SessionPrograms;
  readonly store: Store;
  readonly ask: AskPeer;
  readonly connect: Connect;
  /** The last commit of every namespace, from the local mirror. */
  heads(): readonly Commit[];
  log(error: unknown): void;
}

const askOf = shaped(StreamAsk);
const instanceAskOf = shaped(InstanceAsk);

/** Lets a request through, perhaps changed. @throws PloyzError when it may not. */
export type Admit = (ask: StreamAsk) => StreamAsk;

/** Streams between a caller of the local API and an instance of any machine. Needs no store. */
export function openStreams(deps: StreamDeps) {
  const { self, runtime, runs, leftovers, ask: askPeer } = deps;

  function programOf(ask: InstanceAsk): Promise<Attached> {
    if (ask.kind === "run") return runs.start(ask);
    const open = () => openProgram(runtime, ask);
    return ask.kind === "exec" && ask.once === true ? deps.sessions.attach(ask.id, open) : open();
  }

  async function serveHere(channel: Channel, ask: InstanceAsk): Promise<void> {
    const program = await programOf(ask);
    const forget = await leftovers.note(program.pid).catch(async (error: unknown) => {
      await program.kill();
      throw error;
    });
    try {
      await serveProgram(channel, program);
    } finally {
      await forget();
    }
  }

  /** The other end of a stream: with a program of this machine, or with the connection to another machine's. */
  async function reach(machine: string, ask: InstanceAsk) {
    if (machine === self) {
      if (ask.kind !== "run") await needRunning(runtime, ask.id);
      return (near: Channel) => serveHere(near, ask);
    }
    const { token } = await askPeer(machine, "stream.offer", ask);
    const far = openHeartbeat(await deps.connect(machine, token));
    return (near: Channel) => relay(near, far, machine);
  }

  /** Serves a connection of the local API. */
  async function answer(near: Channel, admit: Admit = (ask) => ask): Promise<void> {
    const first = await near.frames.next();
    if (first.done === true || first.value.kind !== FRAME.ask) return;
    const asked = admit(askOf(JSON.parse(first.value.payload.toString("utf8"))));
    if (asked.kind === "exec" && asked.once !== undefined) return answerSession(near, asked, asked.once);
    const { head, found, of } = candidates(deps, {
      ...asked,
      slot: asked.kind === "run" ? undefined : asked.slot,
    });
    if (asked.kind === "run") refuseSingleWriter(head, asked.service);
    const operation = operationIds.newOperationId();
    const { namespace, service } = asked;
    const run = asked.kind === "run" ? `${namespace}.${service}.run.${operationTail(operation)}` : undefined;
    const { instance, serve } = await firstReached(found, (instance) =>
      reach(instance.machine, instanceAskOf({ ...asked, id: instance.id, ...(run && { run }) })),
    );
    const id = run ?? instance.id;
    if (asked.kind !== "forward")
      recordStream(deps, asked, {
        ...{ operation, id, machine: instance.machine, slot: run ? "run" : instance.slot },
      });
    const opened: StreamOpened = { machine: instance.machine, instance: id, slot: instance.slot, of };
    await near.send(FRAME.opened, JSON.stringify(opened));
    await serve(near);
  }

  /** The operation that made the instance is its record. */
  async function answerSession(
    near: Channel,
    asked: Extract<StreamAsk, { kind: "exec" }>,
    { machine, id }: NonNullable<Extract<StreamAsk, { kind: "exec" }>["once"]>,
  ): Promise<void> {
    if (!id.startsWith(`${asked.namespace}.${asked.service}.`))
      throw new PloyzError({
        code: "no_such_instance",
        message: `${id} is not an instance of ${asked.namespace}/${asked.service}`,
        hint: "run the command again",
      });
    const serve = await reach(machine, instanceAskOf({ ...asked, id, once: true }));
    const opened: StreamOpened = { machine, instance: id, slot: 1, of: 1 };
    await near.send(FRAME.opened, JSON.stringify(opened));
    await serve(near);
  }

  return {
    answer,
    /** For the daemons of other machines. */
    handlers: (transfers: Pick<TransferServer, "offerStream">): Pick<PeerHandlers, "stream.offer"> => ({
      "stream.offer": async (ask, from) => {
        if (ask.kind !== "run") await needRunning(runtime, ask.id);
        const serve = (socket: Duplex) => {
          const channel = openHeartbeat(socket);
          serveHere(channel, ask).catch(failing(channel, deps.log));
        };
        return { token: transfers.offerStream(from, serve) };
      },
    }),
  };
}

/** Of the first instance that is reached. From then on a program may have run: no other instance gets it. */
async function firstReached<T>(found: readonly Instance[], reach: (instance: Instance) => Promise<T>) {
  let failure: unknown;
  for (const instance of found) {
    try {
      return { instance, serve: await reach(instance) };
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

/** Reports a failure to the caller, as the last frame. */
const failing = (channel: Channel, log: (error: unknown) => void) => async (error: unknown) => {
  log(error);
  await channel.send(FRAME.error, JSON.stringify(errorBody(error)));
  channel.end();
};

/** A connection of the local API, as `onUpgrade` hands it over. `streams` throws where this machine is no member. */
export const localStreams =
  (streams: () => Streams, log: (error: unknown) => void, admit?: Admit) =>
  (socket: Duplex): void => {
    const near = openChannel(socket);
    const answer = async () => streams().answer(near, admit);
    void answer().catch(failing(near, log));
  };

export type Streams = ReturnType<typeof openStreams>;

/** The instances that may serve the request, those of this machine first. @throws PloyzError `no_such_service`, `no_such_instance`. */
export function candidates(
  { self, heads }: Pick<StreamDeps, "self" | "heads">,
  {
    namespace,
    service,
    slot,
  }: { readonly namespace: string; readonly service: string; readonly slot?: number | undefined },
) {
  const head = heads().find((commit) => commit.namespace === namespace);
  const known = Object.keys(head?.services ?? {});
  if (head === undefined || head.removed || !known.includes(service))
    throw new PloyzError({
      code: "no_such_service",
      message:
        head?.jobs[service] === undefined || head.removed
          ? `nothing is deployed as ${namespace}/${service}`
          : `${namespace}/${service} is a job`,
      hint: known.length > 0 ? `services of ${namespace}: ${known.join(", ")}` : "ployzctl ps",
    });
  const all = head.instances.filter((instance) => instance.service === service);
  const found = all.filter((instance) => slot === undefined || instance.slot === slot);
  if (found.length === 0)
    throw new PloyzError({
      code: "no_such_instance",
      message:
        slot === undefined
          ? `${namespace}/${service} has no instance`
          : `${namespace}/${service} has no instance ${slot}`,
      hint:
        head.services[service]?.stopped === true
          ? `it is stopped: ployzctl start ${namespace}/${service}`
          : `list them: ployzctl ps ${namespace}/${service}`,
    });
  const here = (machine: string) => (machine === self ? 0 : 1);
  return {
    head,
    found: [...found].sort((a, b) => here(a.machine) - here(b.machine) || a.slot - b.slot),
    of: all.length,
  };
}
