import type { PlannedStep } from "../../engine/types.ts";
import { certificateFor } from "../../model/certificate.ts";
import type { CommittedRoute } from "../../model/commit.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { ChangeKinds } from "../steps/kinds.ts";

/** Hosts of routes over TLS that no certificate is valid for. */
export function hostsWithoutCertificate(
  routes: readonly CommittedRoute[],
  { certificates }: Pick<ChangeFacts, "certificates">,
): readonly string[] {
  const hosts = routes.flatMap((route) =>
    route.kind === "http" && route.tls === true && certificateFor(route.host, certificates) === undefined
      ? [route.host]
      : [],
  );
  return [...new Set(hosts)].sort();
}

/** One step gets the missing ones before the commit: a refused order leaves everything as it is. */
export function certificateSteps(
  routes: readonly CommittedRoute[],
  facts: Pick<ChangeFacts, "certificates" | "machines">,
): readonly PlannedStep<ChangeKinds>[] {
  const hosts = hostsWithoutCertificate(routes, facts);
  const machine = facts.machines.find(({ observation }) => observation !== undefined)?.record.id;
  if (hosts.length === 0 || machine === undefined) return [];
  return [
    {
      ...{ id: "certificates", kind: "certificate.ensure", machine, needs: [] },
      args: { machine, hosts },
      title: `certificates for ${hosts.join(", ")}`,
    },
  ];
}
