import type { InstanceStart, InstanceVolume, ObservedInstance } from "@ployz/primitives/protocol";
import type { InstanceStatus } from "@ployz/runtime";
import { SESSION } from "./sessions.ts";

/** Ownership labels on the substrate: an instance's identity and its operation, readable without a journal. */
export function labelsOf(start: InstanceStart): Readonly<Record<string, string>> {
  return {
    namespace: start.namespace,
    service: start.service,
    slot: String(start.slot),
    kind: start.kind,
    revision: start.revision,
    operation: start.operation,
    ...(start.interactive === true && SESSION),
    // What it runs stays, whatever commits name: see images/cleaning.
    ...(start.image !== undefined && { image: start.image.digest }),
    ...(start.bundle !== undefined && { bundle: start.bundle.digest }),
    ...((start.volumes ?? []).length > 0 && {
      volumes: (start.volumes ?? []).map(({ id, scope }) => `${id}=${scope}`).join(","),
    }),
  };
}

/** The volumes that an instance was started with: a volume's users are read from the instances, not stored separately. */
export function usesOf(labels: Readonly<Record<string, string>>): readonly VolumeUse[] {
  return (labels.volumes ?? "")
    .split(",")
    .filter((entry) => entry !== "")
    .map((entry) => {
      const [id = "", scope] = entry.split("=");
      return { id, scope: scope === "shared" ? "shared" : "single" };
    });
}

export type VolumeUse = Pick<InstanceVolume, "id" | "scope">;

/** `undefined` for an instance of another program. */
export function observed(status: InstanceStatus): ObservedInstance | undefined {
  const { namespace, service, slot, kind, revision, operation } = status.labels;
  if (
    namespace === undefined ||
    service === undefined ||
    operation === undefined ||
    status.state === "absent"
  )
    return undefined;
  return {
    id: status.id,
    namespace,
    service,
    slot: Number(slot ?? 0),
    kind: kind === "job" ? "job" : "service",
    revision: revision ?? "",
    operation,
    state: status.state,
    address: status.address ?? "",
    ...(status.startedAt !== undefined && { startedAt: status.startedAt }),
    ...(status.restarts !== undefined && { restarts: status.restarts }),
    ...(status.pid !== undefined && { pid: status.pid }),
    ...(status.exitCode !== undefined && { exitCode: status.exitCode }),
    ...(status.oomKilled !== undefined && { oomKilled: status.oomKilled }),
  };
}
