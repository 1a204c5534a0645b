import { bytesOf } from "../../model/limits.ts";
import { programIn } from "../decide/secrets.ts";
import type { ChangeKinds } from "../steps/kinds.ts";
import { type Candidate, hasSecrets } from "./candidate.ts";

/** Programs of more bytes than this in all are not repeated in each start: a plan is one message of the store. */
const INLINE_BYTES = 1024 * 1024;

/** Whether each start may repeat its command and environment; else it reads them in the plan's summary. */
export const isSmall = (candidates: readonly Candidate[]): boolean =>
  candidates.reduce(
    (sum, { spec }) => sum + bytesOf(JSON.stringify([spec.entrypoint, spec.command, spec.env, spec.files])),
    0,
  ) <= INLINE_BYTES;

export function startArgs(
  candidate: Candidate,
  namespace: string,
  inline: boolean,
): ChangeKinds["start"]["args"]["instance"] {
  const { id, name, slot, revision, operation, kind, spec, secrets } = candidate;
  const volumes = Object.values(candidate.volumes);
  return {
    id,
    namespace,
    service: name,
    slot,
    revision,
    operation,
    kind,
    ...(spec.image !== undefined && { image: spec.image }),
    ...(spec.bundle !== undefined && { bundle: spec.bundle }),
    ...(inline && programIn(spec)),
    ...(hasSecrets(candidate) && { secrets }),
    ...(spec.user !== undefined && { user: spec.user }),
    ...(spec.resources !== undefined && { resources: spec.resources }),
    ...(spec.workingDir !== undefined && { workingDir: spec.workingDir }),
    ...(spec.stopSignal !== undefined && { stopSignal: spec.stopSignal }),
    ...(spec.container !== undefined && { container: spec.container }),
    stopGraceMs: spec.stopGraceMs,
    ...(volumes.length > 0 && { volumes }),
  };
}
