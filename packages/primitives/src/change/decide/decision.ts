import type { CommittedService, Instance, JobSpec, Volume } from "../../model/commit.ts";
import type { ObservedInstance } from "../../participant/commands.ts";
import type { Liveness } from "./liveness.ts";
import type { SecretScope, Secrets } from "./secrets.ts";
import type { VolumeDecision } from "./volumes.ts";

/** Why an instance is started: nothing was in its slot; its spec changed; what was there is dead; its machine is ruled out now. */
export type Why = "new" | "changed" | "dead" | "moved";

export type Start = {
  readonly slot: number;
  readonly machine: string;
  readonly why: Why;
  readonly replaces?: Instance;
};

export type ServiceDecision = {
  readonly name: string;
  /** Absent: the service goes. */
  readonly next?: CommittedService;
  /** Absent: the service is new. */
  readonly previous?: CommittedService;
  readonly keep: readonly Instance[];
  readonly start: readonly Start[];
  /** What its secrets are now, by variable. */
  readonly secrets: Secrets;
  /** Committed instances that go, those that are replaced among them. */
  readonly retire: readonly Instance[];
};

export type JobDecision = {
  readonly name: string;
  readonly next: { readonly revision: string; readonly spec: JobSpec };
  readonly run?: { readonly machine: string; readonly why: string };
};

export type Decision = {
  readonly namespace: string;
  readonly services: readonly ServiceDecision[];
  readonly jobs: readonly JobDecision[];
  readonly volumes: readonly VolumeDecision[];
  readonly secrets: SecretScope;
  /** Committed volumes that leave the namespace. */
  readonly dropped: readonly Volume[];
  /** Those of them whose data is gone with its machine. */
  readonly lost: readonly Volume[];
  /** What the namespace's machines run and no commit names, left by operations that died. */
  readonly strays: readonly (ObservedInstance & { readonly machine: string })[];
  /** Of committed instances. */
  readonly state: Liveness;
  readonly warnings: readonly string[];
};
