import { join } from "node:path";
import { errorBody } from "@ployz/errors";
import type { NatsStore } from "@ployz/nats-store";
import type {
  StoreEvent,
  StoreMove,
  StoreMoved,
  StorePlan,
  StoreRecover,
  StoreRestore,
  StoreStatus,
} from "@ployz/primitives/client";
import { type Channel, channel } from "../channel.ts";
import { PloyzError } from "../error-codes.ts";
import type { Membership } from "../mesh/membership.ts";
import { type Backups, openBackups } from "./backups.ts";
import { moveStore, Refused } from "./move.ts";
import { recoverStore } from "./recover.ts";
import { type ReplaceDeps, restoreBackup } from "./replace.ts";
import { storeStatus } from "./status.ts";
import { survey } from "./survey.ts";
import { type StoreChange, wantedStores } from "./wanted.ts";

/** The operator's view of the store: its machines and its moves. */
export interface StoreAuthority {
  status(): Promise<StoreStatus>;
  /** Members whose daemon answers. */
  answering(): Promise<readonly string[]>;
  move(request: StoreMove): AsyncIterable<StoreEvent>;
  restore(request: StoreRestore & { readonly id: string }): AsyncIterable<StoreEvent>;
  recover(request: StoreRecover): AsyncIterable<StoreEvent>;
  readonly backups: Backups;
  /** The re-founding that this daemon runs. */
  coordinating(): string | undefined;
}

type Work = (run: { readonly id: string; emit(event: StoreEvent): void }) => Promise<StorePlan | StoreMoved>;

export function openStoreAuthority(
  deps: Omit<ReplaceDeps, "dir" | "store"> & {
    readonly dataDir: string;
    readonly nats: NatsStore;
    readonly store: ReplaceDeps["store"];
    sealKey(): Promise<string | undefined>;
    membership(): Membership;
  },
): StoreAuthority {
  const dir = join(deps.dataDir, "backups");
  const backups = openBackups({
    dir,
    nats: deps.nats,
    sealKey: deps.sealKey,
    membership: deps.membership,
  });
  const full: ReplaceDeps = { ...deps, dir };
  let coordinating: string | undefined;

  /** Runs to its end even if the caller disconnects: a partial move is worse than a complete one or none. */
  function run(preview: boolean, work: Work): AsyncIterable<StoreEvent> {
    const events: Channel<StoreEvent> = channel();
    const id = deps.newId();
    const perform = async () => {
      if (coordinating !== undefined && !preview)
        throw new PloyzError({
          code: "scope_busy",
          message: `this machine is moving the store (${coordinating})`,
          hint: "wait until it has finished: ployzctl store status",
        });
      if (!preview) coordinating = id;
      try {
        const done = await work({ id, emit: events.push });
        if (done.kind === "store-moved") events.push({ type: "store-moved", moved: done });
      } finally {
        if (coordinating === id) coordinating = undefined;
      }
    };
    perform()
      .catch((error: unknown) => {
        deps.log(error);
        const refusals = error instanceof Refused ? error.refusals : [errorBody(error)];
        events.push({ type: "refused", refusals });
      })
      .finally(() => events.end());
    return events;
  }

  return {
    backups,
    coordinating: () => coordinating,
    status: () => storeStatus(deps.ask, deps.nats, deps.membership()),
    answering: async () => Object.keys((await survey(deps.ask, deps.membership().machines)).looks),
    move: (request) =>
      run(request.preview === true, (on) => {
        const { action, machines, replicas } = request;
        const change: StoreChange = { action, machines, ...(replicas !== undefined && { replicas }) };
        return moveStore(
          full,
          {
            ...{ action, preview: request.preview === true },
            wanted: (present, members) => wantedStores(change, present, members),
          },
          on,
        );
      }),
    restore: (request) =>
      run(request.preview === true, async (on) => {
        try {
          return await restoreBackup(full, { ...request, file: backups.uploaded(request.id) }, on);
        } finally {
          await backups.drop(request.id);
        }
      }),
    recover: (request) => run(request.preview === true, (on) => recoverStore(full, request, on)),
  };
}
