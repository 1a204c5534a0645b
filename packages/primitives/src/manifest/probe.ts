import type { Refusal } from "../error-codes.ts";
import { invalid, type Segment } from "../model/field.ts";
import type { Liveness, Probe, Readiness } from "../model/probe.ts";
import { checkDuration } from "./bounds.ts";
import { checkHeaders, checkPort } from "./check-routes.ts";
import { DEFAULTS } from "./defaults.ts";
import type { ManifestService } from "./schema.ts";
import { durationMs, formatDuration } from "./units.ts";

type At = readonly Segment[];
type ManifestReady = NonNullable<ManifestService["ready"]>;
type ManifestLiveness = NonNullable<ManifestService["liveness"]>;
type ManifestProbe = Omit<ManifestLiveness, "every" | "timeout" | "failures">;

/** Rules of `ready` beyond the schema. */
export function checkReady(at: At, ready: ManifestReady, service: ManifestService): readonly Refusal[] {
  const refusals: Refusal[] = [];
  const { settle } = ready;
  if ((settle === undefined) === (kinds(ready) === 0) || kinds(ready) > 1)
    refusals.push(
      invalid(
        at,
        "needs either `http` (a path), `tcp = true`, `exec` (a program), `grpc` (a service) or `settle` (a duration)",
      ),
    );
  refusals.push(...checkProbe(at, ready, { service, hasPort: settle === undefined && !ready.exec }));
  if (
    settle !== undefined &&
    (durationMs(settle) ?? 0) >= (durationMs(ready.timeout ?? "") ?? DEFAULTS.readyTimeoutMs)
  )
    refusals.push(invalid([...at, "settle"], "must be shorter than `timeout`", "raise `timeout`"));
  return [
    ...refusals,
    ...checkDuration([...at, "settle"], settle),
    ...checkDuration([...at, "timeout"], ready.timeout, 1),
  ];
}

/** Rules of `liveness` beyond the schema. */
export function checkLiveness(
  at: At,
  liveness: ManifestLiveness | undefined,
  service: ManifestService,
): readonly Refusal[] {
  if (liveness === undefined) return [];
  return [
    ...(kinds(liveness) === 1
      ? []
      : [
          invalid(at, "needs either `http` (a path), `tcp = true`, `exec` (a program) or `grpc` (a service)"),
        ]),
    ...checkProbe(at, liveness, { service, hasPort: !liveness.exec }),
    ...checkDuration([...at, "every"], liveness.every, 1000),
    ...checkDuration([...at, "timeout"], liveness.timeout, 1),
  ];
}

const kinds = ({ http, tcp, exec, grpc }: ManifestProbe): number =>
  [http, tcp, exec, grpc].filter((one) => one !== undefined).length;

function checkProbe(
  at: At,
  probe: ManifestProbe,
  { service, hasPort }: { readonly service: ManifestService; readonly hasPort: boolean },
): readonly Refusal[] {
  return [
    ...(["host", "headers", "status"] as const).flatMap((field) =>
      probe.http === undefined && probe[field] !== undefined
        ? [invalid([...at, field], "is for `http` only", `leave \`${field}\` out`)]
        : [],
    ),
    ...checkHeaders([...at, "headers"], "check", probe.headers ?? {}),
    ...(probe.exec?.[0] === "" ? [invalid([...at, "exec", 0], "must not be empty")] : []),
    ...(hasPort
      ? checkPort(at, probe.port, service)
      : probe.port === undefined
        ? []
        : [invalid([...at, "port"], "is for `http`, `tcp` and `grpc` only", "leave `port` out")]),
  ];
}

type Ports = Readonly<Record<string, number>>;

export function normalReady(ready: ManifestReady | undefined, ports: Ports): Readiness {
  const timeoutMs = ms(ready?.timeout, DEFAULTS.readyTimeoutMs);
  if (ready === undefined || ready.settle !== undefined)
    return { kind: "running", settleMs: ms(ready?.settle, DEFAULTS.settleMs), timeoutMs };
  return { ...normalProbe(ready, ports), timeoutMs };
}

export const normalLiveness = (liveness: ManifestLiveness, ports: Ports): Liveness => ({
  probe: normalProbe(liveness, ports),
  everyMs: ms(liveness.every, DEFAULTS.livenessEveryMs),
  timeoutMs: ms(liveness.timeout, DEFAULTS.livenessTimeoutMs),
  failures: liveness.failures ?? DEFAULTS.livenessFailures,
});

function normalProbe(
  { http, exec, grpc, host, headers, status, ...probe }: ManifestProbe,
  ports: Ports,
): Probe {
  if (exec !== undefined) return { kind: "exec", argv: exec };
  // The check made sure that there is exactly one when none is named.
  const port = probe.port ?? Object.keys(ports)[0] ?? "";
  if (grpc !== undefined) return { kind: "grpc", service: grpc, port };
  if (http === undefined) return { kind: "tcp", port };
  const sorted = Object.entries(headers ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...{ kind: "http", path: http, port },
    ...(host !== undefined && { host }),
    ...(sorted.length > 0 && { headers: Object.fromEntries(sorted) }),
    ...(status && { status: [...status].sort((a, b) => a - b) }),
  };
}

export function renderReady(ready: Readiness | undefined): { readonly ready?: ManifestReady } {
  if (ready === undefined) return {};
  const timeout = ready.timeoutMs !== DEFAULTS.readyTimeoutMs && { timeout: formatDuration(ready.timeoutMs) };
  if (ready.kind === "running") {
    const { settleMs } = ready;
    const asDefault = settleMs === DEFAULTS.settleMs && !timeout;
    return asDefault ? {} : { ready: { settle: formatDuration(settleMs), ...timeout } };
  }
  return { ready: { ...renderProbe(ready), ...timeout } };
}

export function renderLiveness(liveness: Liveness | undefined): { readonly liveness?: ManifestLiveness } {
  if (liveness === undefined) return {};
  const { probe, everyMs, timeoutMs, failures } = liveness;
  return {
    liveness: {
      ...renderProbe(probe),
      ...(everyMs !== DEFAULTS.livenessEveryMs && { every: formatDuration(everyMs) }),
      ...(timeoutMs !== DEFAULTS.livenessTimeoutMs && { timeout: formatDuration(timeoutMs) }),
      ...(failures !== DEFAULTS.livenessFailures && { failures }),
    },
  };
}

function renderProbe(probe: Probe): ManifestProbe {
  if (probe.kind === "exec") return { exec: [...probe.argv] };
  if (probe.kind === "tcp") return { tcp: true, port: probe.port };
  if (probe.kind === "grpc") return { grpc: probe.service, port: probe.port };
  const { path, port, host, headers, status } = probe;
  return {
    ...{ http: path, port },
    ...(host !== undefined && { host }),
    ...(headers && { headers: { ...headers } }),
    ...(status && { status: [...status] }),
  };
}

function ms(text: string | undefined, fallback: number): number {
  return text === undefined ? fallback : (durationMs(text) ?? fallback);
}
