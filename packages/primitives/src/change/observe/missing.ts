import type { Refusal } from "../../engine/types.ts";
import type { Found } from "./facts.ts";

/** What one machine knows about content. */
export type Answer = {
  readonly machine: string;
  readonly digest?: string;
  readonly at?: string;
  readonly arch?: string;
  readonly reason: string;
  readonly code?: string;
  readonly hint?: string;
};
/** The reason of a machine that could not be asked. */
export const SILENT = "does not answer";

/** `m1, m2: not there; m3: away`: each reason once, with its machines. */
function reasonsOf(tried: readonly Answer[]): string {
  const machines = new Map<string, Set<string>>();
  for (const { machine, reason } of tried)
    machines.set(reason, (machines.get(reason) ?? new Set()).add(machine));
  return [...machines].map(([reason, of]) => `${[...of].sort().join(", ")}: ${reason}`).join("; ");
}

export function missingImage(field: string, ref: string, found: Found | undefined): Refusal {
  if (found?.ambiguous) {
    const where = found.ambiguous.map(({ machine, digest }) => `${machine} has ${digest}`).join("; ");
    return {
      code: "image_ambiguous",
      message: `${field}: ${ref} means different images: ${where}`,
      hint: "name it by digest, or give the build a tag of its own",
    };
  }
  const tried = found?.tried ?? [];
  const where = reasonsOf(tried);
  const unfit = UNUSABLE.find((error) => tried.some(({ code }) => code === error));
  const unusable = tried.find(({ code }) => code === unfit);
  if (unfit !== undefined && unusable !== undefined)
    return {
      code: unfit,
      message: `${field}: ${ref}: no machine has it, and the one of its registry cannot be used: ${unusable.reason}`,
      hint: unusable.hint ?? "build it again, and push it again",
      details: { ref, tried: tried.map(({ machine, reason }) => ({ machine, reason })) },
    };
  // A registry that does not answer may have it.
  const unknown = REGISTRY_ERRORS.find(([error]) => tried.some(({ code }) => code === error));
  return {
    code: unknown?.[0] ?? "image_missing",
    message:
      unknown === undefined
        ? `${field}: ${ref}: not found on any machine or in its registry (${where || "no machine that runs images answers"})`
        : `${field}: ${ref}: not found on any machine, and its registry gives no answer (${where})`,
    hint:
      tried.length === 0
        ? "see which machines answer: ployzctl machine ls"
        : (tried.find(({ code, hint }) => code === unknown?.[0] && hint !== undefined)?.hint ??
          unknown?.[1] ??
          (tried.some(({ reason }) => reason === SILENT)
            ? "a machine that does not answer may have it: bring it back (ployzctl machine ls), then run the same command again"
            : undefined) ??
          "check the name, or give the image to the cluster: ployzctl image push NAME"),
    details: { ref, tried: tried.map(({ machine, reason }) => ({ machine, reason })) },
  };
}

/** Each with what helps; the first that a machine met counts. */
const REGISTRY_ERRORS = [
  ["registry_denied", "log in: ployzctl registry login HOST -u USER --password-stdin"],
  ["registry_rate_limited", "wait, or log in for a higher limit: ployzctl registry login HOST"],
  [
    "registry_unreachable",
    "check the machine's way to the registry, or push the image: ployzctl image push NAME",
  ],
] as const;

/** The registry has it, and no machine can use it. */
const UNUSABLE = ["image_platform_missing", "image_invalid", "image_blob_corrupt"] as const;

export function missingBundle(field: string, digest: string): Refusal {
  return {
    code: "bundle_missing",
    message: `${field}: no machine that answers has the bundle ${digest}`,
    hint: "deploy from its manifest, which uploads the bundle, or bring back a machine that has it (ployzctl machine ls)",
  };
}
