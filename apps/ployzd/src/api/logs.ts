import { errorBody } from "@ployz/errors";
import type { LogEvent } from "@ployz/primitives/client";
import { channel } from "../channel.ts";
import type { Member } from "../daemon/member.ts";
import { PloyzError } from "../error-codes.ts";

/** Log lines of every instance of a namespace, or of one of its services, merged as they arrive. A failing machine is a gap, not an end. */
export async function* mergedLogs(
  member: Member,
  target: string,
  options: { follow: boolean; tail: number },
  signal: AbortSignal,
): AsyncIterable<LogEvent> {
  const [namespace = "", service] = target.split("/");
  const commit = member.heads().find((head) => head.commit.namespace === namespace)?.commit;
  const instances =
    commit?.instances.filter((instance) => service === undefined || instance.service === service) ?? [];
  if (instances.length === 0) {
    throw new PloyzError({
      code: "no_such_service",
      message: `nothing is deployed as ${target}`,
      hint: "ployzctl ps",
    });
  }
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, signal]);
  const merged = channel<LogEvent>();
  // Read this machine's logs locally: they are most needed when the store is away.
  const self = member.membership().machine.id;
  const lines = (machine: string, id: string) =>
    machine === self
      ? member.substrate.runtime.logs(id, { ...options, signal: both })
      : member.logs(machine, id, options, both);
  const readers = instances.map(async ({ id, machine, service: name }) => {
    try {
      for await (const line of lines(machine, id)) {
        merged.push({ type: "line", machine, namespace, service: name, instance: id, ...line });
      }
    } catch (error) {
      if (!both.aborted) merged.push({ type: "gap", machine, error: errorBody(error) });
    }
  });
  void Promise.all(readers).then(() => merged.end());
  try {
    yield* merged;
  } finally {
    stop.abort();
  }
}
