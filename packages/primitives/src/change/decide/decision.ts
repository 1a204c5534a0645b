import type { CommittedService, Instance, JobSpec, Volume } from "../../model/commit.ts";
import type { ObservedInstance } from "../../model/observation.ts";
import type { Liveness } from "./liveness.ts";
import type { SecretScope, Secrets } from "./secrets.ts";
import type { VolumeDecision } from "./volumes.ts";

/** Why an instance starts: its slot was empty; its spec changed; its predecessor is dead; its predecessor's machine is ruled out; its volume gets other data; it is restarted. */
export type Why = "new" | "changed" | "dead" | "moved" | "data" | "restart";

export type Start = {
  readonly slot: number;
  readonly machine: string;
  readonly why: Why;
  readonly replaces?: Instance;
};

export type ServiceDecision = {
  readonly name: string;
  /** Absent: the service is removed. */
  readonly next?: CommittedService;
  /** Absent: the service is new. */
  readonly previous?: CommittedService;
  readonly keep: readonly Instance[];
  readonly start: readonly Start[];
  /** The present versions of its secrets, by variable. */
  readonly secrets: Secrets;
  /** Committed instances that go, including replaced ones. */
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
  /** Dropped volumes whose machine, and so whose data, is lost. */
  readonly lost: readonly Volume[];
  /** Instances of the namespace that run but are in no commit: left by interrupted operations. */
  readonly strays: readonly (ObservedInstance & { readonly machine: string })[];
  /** Of committed instances. */
  readonly state: Liveness;
  readonly warnings: readonly string[];
};
