import type { Commit, CommittedService, ServiceSpec } from "./commit.ts";
import { own } from "./own.ts";

/** The name of a service's canary: a service of its own, so that all that is done with services is done with it. */
export const canaryName = (service: string): string => `${service}-canary`;

/** The canary of a service, where one runs. */
export function canaryOf(
  { services }: Pick<Commit, "services">,
  service: string,
): { readonly name: string; readonly share: number; readonly spec: ServiceSpec } | undefined {
  const name = canaryName(service);
  const found = own(services, name);
  return found?.canary?.of === service ? { name, share: found.canary.share, spec: found.spec } : undefined;
}

/** Names of the canaries among services, sorted. */
export const canariesIn = (services: Readonly<Record<string, CommittedService>>): readonly string[] =>
  Object.entries(services)
    .flatMap(([name, { canary }]) => (canary ? [name] : []))
    .sort();
