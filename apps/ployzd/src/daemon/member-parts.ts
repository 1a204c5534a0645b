import type { AdoptionReport } from "@ployz/primitives/client";
import type {
  AlertRecord,
  AlertState,
  Commit,
  Machines,
  OperationEvent,
  OperationRequest,
  Store,
} from "@ployz/primitives/protocol";
import type { Backups } from "../backups/open.ts";
import type { Inviter } from "../invites/open.ts";
import type { Membership } from "../mesh/membership.ts";
import type { Substrate } from "../mesh/substrate.ts";
import type { Upkeep } from "../mesh/upkeep.ts";
import type { Runner } from "../operations/runner.ts";
import type { Uploads } from "../participant/volumes/uploads.ts";
import type { ClusterRuns } from "../runs/cluster.ts";
import type { SecretKeeper } from "../secrets/keeper.ts";
import type { ShippingState } from "../shipping/ship.ts";
import type { Audit } from "../state/audit.ts";
import type { StoreAuthority } from "../store/open.ts";
import type { UnreadableRecords } from "../store/repair.ts";
import type { Streams } from "../streams/open.ts";
import type { Bundles } from "../transfer/bundles.ts";
import type { Fetch } from "../transfer/server.ts";
import type { MemberChange } from "./changes.ts";
import type { AccessSources, LogSources } from "./log-sources.ts";
import type { MetricsState } from "./measure.ts";
import type { TokenFacts } from "./token-facts.ts";

/** This machine as a member: the parts that run only after `mesh init` or `mesh join`. */
export interface Member {
  readonly substrate: Substrate;
  readonly store: Store;
  readonly machines: Machines;
  readonly runner: Runner;
  readonly bundles: Bundles;
  readonly uploads: Uploads;
  readonly inviter: Inviter;
  readonly tokens: TokenFacts;
  readonly authority: StoreAuthority;
  readonly backups: Pick<Backups, "fetchStore">;
  readonly secrets: SecretKeeper;
  readonly streams: Streams;
  readonly runs: ClusterRuns;
  /** Fetches an object that another machine has offered to this one. */
  readonly fetch: Fetch;
  membership(): Membership;
  storeConnected(): boolean;
  /** The cluster has removed this machine. */
  removed(): boolean;
  /** Resolves when the store refuses this machine's key, after `ms` at the latest. */
  cutOff(ms: number): Promise<void>;
  adoption(): AdoptionReport;
  /** Runs an operation here, or on a peer if it must outlive this membership. */
  run(request: OperationRequest): AsyncIterable<OperationEvent>;
  readonly logs: LogSources & AccessSources;
  /** The last commit of every namespace, from the local mirror. */
  heads(): readonly { readonly revision: number; readonly commit: Commit }[];
  /** From the local mirror: where conditions are sent, and which were. */
  readonly alerts: { records(): readonly AlertRecord[]; state(): AlertState | undefined };
  /** Calls after each commit and each change of the membership; returns how to stop. */
  changes(listener: (change: MemberChange) => void): () => void;
  readonly records: UnreadableRecords;
  readonly upkeep: Upkeep;
  readonly audit: Audit;
  readonly metrics: MetricsState;
  /** Absent: logs are not sent. */
  shipping?(): ShippingState;
  /** Stops this process's part; the data plane keeps running. */
  close(): Promise<void>;
}
