import { liveHead } from "../change/decide/as-it-is.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import type { ObservedInstance, ObservedVolume } from "../model/observation.ts";

export type Strays = {
  readonly instances: readonly (ObservedInstance & { readonly machine: string })[];
  readonly volumes: readonly (ObservedVolume & { readonly machine: string })[];
};

/**
 * What machines have of a namespace and its last commit does not name. Under the namespace's lease no operation owns it. A copy that is
 * being received or is retired already belongs to the retention.
 */
export function straysOf(namespace: string, { head, machines }: Omit<ChangeFacts, "content">): Strays {
  const commit = liveHead(head)?.commit;
  const instances = new Set((commit?.instances ?? []).map(({ id, machine }) => `${id}@${machine}`));
  const volumes = new Set((commit?.volumes ?? []).map(({ id, machine }) => `${id}@${machine}`));
  const seen = machines.flatMap(({ record: { id: machine }, observation }) =>
    observation === undefined ? [] : [{ machine, observation }],
  );
  return {
    instances: seen.flatMap(({ machine, observation }) =>
      observation.instances
        .filter((one) => one.namespace === namespace && !instances.has(`${one.id}@${machine}`))
        .map((one) => ({ ...one, machine })),
    ),
    volumes: seen.flatMap(({ machine, observation }) =>
      observation.volumes
        .filter(
          ({ id, namespace: of, state }) =>
            of === namespace &&
            (state === "active" || state === "sealed") &&
            !volumes.has(`${id}@${machine}`),
        )
        .map((one) => ({ ...one, machine })),
    ),
  };
}
