import { SKEW_MS } from "../clock.ts";
import { type Warning, warning } from "./codes.ts";
import { lookAt, type Seen } from "./seen.ts";

export function machineWarnings({ machines, storeAnswers }: Seen): readonly Warning[] {
  return [
    ...machines
      .filter(({ reachable }) => !reachable && storeAnswers)
      .map((machine) =>
        warning("machine_unreachable", machine.record.id, {
          message: `${machine.record.id} does not answer: ${machine.error?.message ?? "unreachable"}`,
          hint: `check it: ${lookAt(machine)}`,
        }),
      ),
    ...machines.flatMap(({ record, observation }) =>
      (observation?.problems ?? [])
        .filter((problem) => /^(no volumes|volume|instance|logs)\b/.test(problem))
        .map((problem) =>
          warning("machine_problem", `${record.id} ${problem}`, {
            message: `${record.id}: ${problem}`,
            hint: problem.startsWith("instance ")
              ? "the daemon tries again every 20 s; see also on that machine: ployzctl doctor; deploy again to replace it"
              : "run on that machine: ployzctl doctor",
          }),
        ),
    ),
    ...machines
      .filter(({ lifecycle }) => lifecycle === "draining")
      .map(({ record: { id }, committed: { instances, volumes } }) =>
        warning("machine_draining", id, {
          message: `${id} is draining: ${instances} instances and ${volumes} volumes are still there`,
          hint: `move them with ployzctl machine drain ${id} --migrate, or end it with ployzctl machine activate ${id}`,
        }),
      ),
    ...machines
      .filter(({ record }) => record.state === "joining")
      .map(({ record }) =>
        warning("machine_joining", record.id, {
          message: `${record.id} has not finished joining`,
          hint: "run ployzctl machine add for it again",
        }),
      ),
  ];
}

/** Older than this, a WireGuard session is dead (its reject-after-time). */
const SILENT_MS = 180_000;

/** A machine removed while it was away gets no notice: it only sees that no peer answers. */
export function aloneWarning({ machines, storeAnswers, self }: Seen): readonly Warning[] {
  const others = machines.filter(({ record }) => record.id !== self);
  const heard = others.some(
    ({ handshakeAgeMs }) => handshakeAgeMs !== undefined && handshakeAgeMs < SILENT_MS,
  );
  if (storeAnswers || heard || others.length === 0) return [];
  return [
    warning("machine_alone", self, {
      message: `no other machine answers ${self}: it is disconnected, or was removed from the cluster while it was away`,
      hint: "run ployzctl machine ls on another machine; if this one was removed: ployzctl mesh leave",
    }),
  ];
}

/** Clocks that differ from those of most machines, or where there is no such majority from this machine's: leases, certificates and schedules go by them. */
export function clockWarnings({ machines, self }: Seen): readonly Warning[] {
  const skews = machines
    .filter(({ record, reachable }) => reachable && record.id !== self)
    .map(({ record: { id }, clockSkewMs = 0 }) => ({ id, skewMs: clockSkewMs }));
  const all = [{ id: self, skewMs: 0 }, ...skews];
  const near = (to: number) => all.filter(({ skewMs }) => Math.abs(skewMs - to) <= SKEW_MS);
  const most = all.find(({ skewMs }) => near(skewMs).length * 2 > all.length)?.skewMs ?? 0;
  const right = most === 0 ? `the one of ${self}` : "those of most machines";
  return all
    .map(({ id, skewMs }) => ({ id, by: skewMs - most }))
    .filter(({ by }) => Math.abs(by) > SKEW_MS)
    .map(({ id, by }) =>
      warning("clock_skewed", id, {
        message: `the clock of ${id} is ${Math.round(Math.abs(by) / 1000)} s ${by > 0 ? "ahead of" : "behind"} ${right}`,
        hint: "run a time service on all machines, such as chrony or systemd-timesyncd; compare: date -u. A machine with a wrong clock starts no schedules",
      }),
    );
}

/** Versions interoperate, and an older machine refuses unknown commands by name; but it is not a permanent state. */
export function versionWarnings({ self, machines }: Seen): readonly Warning[] {
  const seen = machines.flatMap(({ record, observation }) =>
    observation === undefined
      ? []
      : [{ id: record.id, version: observation.version, build: observation.build }],
  );
  const here = seen.find(({ id }) => id === self);
  const others = seen.filter(({ build, version }) => build !== here?.build || version !== here?.version);
  if (here === undefined || others.length === 0) return [];
  const named = ({ id, version, build = "" }: (typeof seen)[number]) =>
    `${id} ${version}${build === "" ? "" : ` (${build.slice(0, 12)})`}`;
  return [
    warning("versions_differ", "", {
      message: `versions differ: ${[here, ...others].map(named).join(", ")}`,
      hint: `run on a machine with the newest version: ployzctl machine update`,
    }),
  ];
}
