import { hashJson } from "../engine/canonical.ts";
import type { JobSpec, ServiceSpec } from "../model/commit.ts";

/** Changes with any field of the specification. */
export function specRevision(spec: ServiceSpec | JobSpec): string {
  return hashJson(spec);
}

/**
 * Changes only with the inputs of a running instance: another value means another instance. Routes, drain, grace, readiness,
 * placement and order are read when they are needed, so changing them restarts nothing. An image counts by digest, not by the
 * reference that led to it.
 */
export function instanceRevision(spec: ServiceSpec | JobSpec): string {
  return hashJson({
    image: spec.image?.digest ?? null,
    bundle: spec.bundle?.digest ?? null,
    command: spec.command ?? null,
    env: spec.env,
    user: spec.user ?? null,
    // Only where they are given: instances from before these fields keep their revision.
    ...(spec.entrypoint !== undefined && { entrypoint: spec.entrypoint }),
    ...(spec.workingDir !== undefined && { workingDir: spec.workingDir }),
    ...(spec.stopSignal !== undefined && { stopSignal: spec.stopSignal }),
    ...(spec.files !== undefined && { files: spec.files }),
    ...(spec.container !== undefined && { container: spec.container }),
    resources: spec.resources ?? null,
    // Another port of the machine may mean another machine.
    ...("hostPorts" in spec && spec.hostPorts !== undefined && { hostPorts: spec.hostPorts }),
    ports: "ports" in spec ? spec.ports : null,
    volumes: "volumes" in spec ? spec.volumes : null,
  });
}
