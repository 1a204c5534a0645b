import type { Instance, JobSpec, ServiceSpec } from "../../model/commit.ts";
import type { InstanceVolume } from "../../participant/commands.ts";
import type { Secrets } from "../decide/secrets.ts";

/** An instance that this operation starts. */
export type Candidate = {
  readonly id: string;
  readonly name: string;
  readonly slot: number;
  readonly machine: string;
  readonly revision: string;
  readonly operation: string;
  readonly replaces?: Instance;
  /** By name, with the id that each has or will have. */
  readonly volumes: Readonly<Record<string, InstanceVolume>>;
  /** By variable or path of a file, with the version that each has now. */
  readonly secrets: Secrets;
} & (
  | { readonly kind: "service"; readonly spec: ServiceSpec }
  | { readonly kind: "job"; readonly spec: JobSpec }
);

export const labelOf = ({ name, slot, machine }: Candidate): string => `${name}.${slot}@${machine}`;

export const hasSecrets = ({ secrets }: Candidate): boolean => Object.keys(secrets).length > 0;

/** The last step of a candidate before its start. */
export const lastBefore = (candidate: Candidate): string =>
  `${hasSecrets(candidate) ? "secrets" : "reserve"} ${labelOf(candidate)}`;

/** The step that candidates `after` this one wait for. */
export function lastStep({ kind, name, slot, machine }: Candidate): string {
  return `${kind === "job" ? "run" : "ready"} ${name}.${slot}@${machine}`;
}
