import type { Found } from "../change/observe/facts.ts";
import { missingImage } from "../change/observe/missing.ts";
import type { Refusal } from "../engine/types.ts";
import type { NormalManifest } from "../manifest/normalise.ts";
import { specRevision } from "../manifest/revision.ts";
import type { CommittedService, JobSpec, ServiceSpec } from "../model/commit.ts";

type Resolved = {
  readonly services: Readonly<Record<string, CommittedService>>;
  readonly jobs: Readonly<Record<string, { readonly revision: string; readonly spec: JobSpec }>>;
  readonly refusals: readonly Refusal[];
};

/** Puts digests into the specs. An image that means nothing anywhere is a refusal. */
export function resolveSpecs(
  manifest: NormalManifest,
  bundles: Readonly<Record<string, string>>,
  images: ReadonlyMap<string, Found>,
): Resolved {
  const refusals: Refusal[] = [];
  const workload = <D extends { readonly image?: string; readonly bundle?: string }>(
    field: string,
    name: string,
    draft: D,
  ) => {
    const { image: ref, bundle, ...rest } = draft;
    if (bundle !== undefined) return { ...rest, bundle: { digest: bundles[name] ?? "" } };
    const found = ref === undefined ? undefined : images.get(ref);
    if (ref === undefined || found?.digest === undefined) {
      refusals.push(missingImage(field, ref ?? "", found));
      return undefined;
    }
    return { ...rest, image: { ref, digest: found.digest } };
  };
  const services = Object.entries(manifest.services).flatMap(([name, draft]) => {
    const spec: ServiceSpec | undefined = workload(`services.${name}.image`, name, draft);
    return spec === undefined ? [] : [[name, { revision: specRevision(spec), spec }] as const];
  });
  const jobs = Object.entries(manifest.jobs).flatMap(([name, draft]) => {
    const spec: JobSpec | undefined = workload(`jobs.${name}.image`, name, draft);
    return spec === undefined ? [] : [[name, { revision: specRevision(spec), spec }] as const];
  });
  return {
    services: Object.fromEntries(services),
    jobs: Object.fromEntries(jobs),
    refusals: [...new Map(refusals.map((refusal) => [refusal.message, refusal])).values()],
  };
}
