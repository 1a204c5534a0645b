import type { Refusal } from "../engine/types.ts";
import type { NormalManifest } from "../manifest/normalise.ts";
import { specRevision } from "../manifest/revision.ts";
import type { CommittedService, JobSpec, ServiceSpec } from "../model/commit.ts";
import type { JobDecision, ServiceDecision } from "./decide.ts";
import type { Found } from "./images.ts";
import type { DeployInput } from "./input.ts";
import type { DeployFacts } from "./observe.ts";
import type { Placed } from "./place.ts";

type Resolved = {
  readonly services: ReadonlyMap<string, CommittedService>;
  readonly jobs: ReadonlyMap<string, JobSpec>;
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
  /** Refuses what has to be shipped and is nowhere to be had. Known only once it is known what starts. */
  shippable(services: readonly ServiceDecision[], jobs: readonly JobDecision[]): readonly Refusal[];
};

/** Puts digests into the specs. An image that means nothing anywhere is a refusal. */
export function resolveSpecs(manifest: NormalManifest, input: DeployInput, facts: DeployFacts): Resolved {
  const refusals: Refusal[] = [];
  const workload = <D extends { readonly image?: string; readonly bundle?: string }>(
    field: string,
    name: string,
    draft: D,
  ) => {
    const { image: ref, bundle, ...rest } = draft;
    if (bundle !== undefined) return { ...rest, bundle: { digest: input.bundles[name] ?? "" } };
    const found = ref === undefined ? undefined : facts.images.get(ref);
    if (ref === undefined || found?.digest === undefined) {
      refusals.push(missing(field, ref ?? "", found));
      return undefined;
    }
    return { ...rest, image: { ref, digest: found.digest } };
  };
  const services = new Map<string, CommittedService>();
  for (const [name, draft] of Object.entries(manifest.services)) {
    const spec: ServiceSpec | undefined = workload(`services.${name}.image`, name, draft);
    if (spec !== undefined) services.set(name, { revision: specRevision(spec), spec });
  }
  const jobs = new Map<string, JobSpec>();
  for (const [name, draft] of Object.entries(manifest.jobs)) {
    const spec: JobSpec | undefined = workload(`jobs.${name}.image`, name, draft);
    if (spec !== undefined) jobs.set(name, spec);
  }
  return {
    services,
    jobs,
    refusals: distinct(refusals),
    warnings: [...facts.images.values()].flatMap(({ warning }) => warning ?? []),
    shippable(decided, run) {
      const shipped = [
        ...decided.flatMap(({ name, next, start }) =>
          next !== undefined && start.length > 0 ? [{ field: `services.${name}`, spec: next.spec }] : [],
        ),
        ...run.flatMap((job) => (job.run ? [{ field: `jobs.${job.name}`, spec: job.next.spec }] : [])),
      ];
      return distinct(
        shipped.flatMap(({ field, spec: { image, bundle } }): Refusal[] => {
          const found = image ? facts.images.get(image.ref) : facts.bundles.get(bundle?.digest ?? "");
          if (found !== undefined && found.holders.length > 0) return [];
          return [
            image
              ? missing(`${field}.image`, image.ref, found)
              : noBundle(`${field}.bundle`, bundle?.digest ?? ""),
          ];
        }),
      );
    },
  };
}

function missing(field: string, ref: string, found: Found | undefined): Refusal {
  if (found?.ambiguous) {
    const where = found.ambiguous.map(({ machine, digest }) => `${machine} has ${digest}`).join("; ");
    return {
      code: "image_ambiguous",
      message: `${field}: ${ref} means different images: ${where}`,
      hint: "name it by digest, or give the build a tag of its own",
    };
  }
  const tried = found?.tried ?? [];
  const where = tried.map(({ machine, reason }) => `${machine}: ${reason}`).join("; ");
  return {
    code: "image_missing",
    message: `${field}: ${ref} was found nowhere (${where || "no machine that runs Docker answers"})`,
    hint:
      tried.length === 0
        ? "an image needs a machine with Docker (ployzctl machine ls shows the runtimes); a bundle runs on the others"
        : "check the name, or load the image on one of the machines",
    details: { ref, tried: tried.map(({ machine, reason }) => ({ machine, reason })) },
  };
}

function noBundle(field: string, digest: string): Refusal {
  return {
    code: "bundle_missing",
    message: `${field}: no machine that answers has the bundle ${digest}`,
    hint: "run the deploy again: it uploads the bundle first",
  };
}

export function noFit(field: string, wanted: number, placed: Extract<Placed, { ok: false }>): Refusal {
  const reasons = placed.reasons.map(({ machine, reason }) => `${machine}: ${reason}`).join("; ");
  const which = wanted > 1 ? `instance ${placed.slot} fits nowhere` : "fits nowhere";
  return {
    code: "no_machine_fits",
    message: `${field}: ${which} (${reasons || "the cluster has no active machine"})`,
    hint: "change the constraints or resources, or add a machine",
    details: { reasons: placed.reasons.map(({ machine, reason }) => ({ machine, reason })) },
  };
}

function distinct(refusals: readonly Refusal[]): readonly Refusal[] {
  return [...new Map(refusals.map((refusal) => [refusal.message, refusal])).values()];
}
