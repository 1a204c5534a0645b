import type { AlertList, AlertRow } from "@ployz/primitives/client";
import {
  type AlertRecord,
  type AlertState,
  alertKey,
  checkLabel,
  type OperationSummary,
  secretKey,
} from "@ployz/primitives/protocol";
import { type Happened, NONE, pendingFor } from "../alerts/decide.ts";
import { noteDelivery, send, type Target, targetName } from "../alerts/send.ts";
import { LEASE, type Seen, type Sender } from "../alerts/watch.ts";
import { operationIds } from "../clock.ts";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import { invalid, printable } from "../operations/request.ts";
import { isAlert, warning } from "../warnings/codes.ts";
import type { ApiRoutes } from "./router.ts";
import { scheduleRows } from "./schedules.ts";
import { clusterStatus } from "./views.ts";

type Routes =
  | "GET /v1/alerts"
  | "PUT /v1/alerts/:name"
  | "DELETE /v1/alerts/:name"
  | "POST /v1/alerts/:name/test";

export function alertRoutes(daemon: Daemon): Pick<ApiRoutes["json"], Routes> {
  return {
    "GET /v1/alerts": async (): Promise<AlertList> => {
      const { facts, leases } = daemon.member().store;
      const [alerts, found, lease] = await Promise.all([
        facts.list("alert"),
        facts.get("alerting.state"),
        leases.get(LEASE),
      ]);
      const state = found?.value ?? NONE;
      return {
        kind: "alerts",
        alerts: alerts.map(({ value }) => rowOf(value, state)),
        conditions: state.open,
        ...(lease && { sender: lease.holder.machine }),
      };
    },
    "PUT /v1/alerts/:name": async ({ params, body }) => {
      const { to, format, key, by } = await body();
      const { store, secrets } = daemon.member();
      const name = needName(params.name);
      const shown = shownUrl(to);
      const target: Target = { to, ...(key !== undefined && { key }) };
      const author = printable(by);
      const sealed = { ...targetName(name), value: JSON.stringify(target) };
      const { changed } = await secrets.set({ ...sealed, private: true, by: author, alert: true });
      const version = (await store.facts.get(secretKey(targetName(name))))?.value.version ?? "";
      for (;;) {
        const found = await store.facts.get(alertKey(name));
        if (!changed && found?.value.format === format && found.value.version === version)
          return { kind: "alert-set", name, changed: false };
        const record: AlertRecord = {
          ...{ name, format, to: shown, version, at: new Date().toISOString(), by: author },
          ...(key !== undefined && { signed: true }),
        };
        const written = await store.facts.put(alertKey(name), record, found?.revision ?? 0);
        if (written.ok) return { kind: "alert-set", name, changed: true };
      }
    },
    "DELETE /v1/alerts/:name": async ({ params }) => {
      const { store, secrets } = daemon.member();
      const name = needName(params.name);
      for (;;) {
        const found = await store.facts.get(alertKey(name));
        const removed = await store.facts.remove(alertKey(name), found?.revision ?? 0);
        if (!removed.ok) continue;
        await secrets.remove(targetName(name));
        return { kind: "alert-removed", name, changed: found !== undefined };
      }
    },
    "POST /v1/alerts/:name/test": async ({ params, signal }) => {
      const member = daemon.member();
      const { facts } = member.store;
      const name = needName(params.name);
      const found = await facts.get(alertKey(name));
      if (found === undefined) throw noAlert(name, await facts.list("alert"));
      const { cluster, machine } = member.membership();
      const message = {
        ...{ id: operationIds.newOperationId(), at: new Date().toISOString(), cluster: cluster.name },
        ...{ begun: [], ended: [], test: true as const },
      };
      const since = performance.now();
      const tried = { at: message.at, machine: machine.id };
      try {
        await send(found.value, message, { secrets: member.secrets, signal });
      } catch (error) {
        if (error instanceof PloyzError && error.code === "alert_failed")
          await noteDelivery(facts, name, { ...tried, error: error.message });
        throw error;
      }
      await noteDelivery(facts, name, tried);
      return { kind: "alert-tested", name, ms: Math.round(performance.now() - since) };
    },
  };
}

function needName(name: string): string {
  const problem = checkLabel("alert", name);
  if (problem !== undefined) throw new PloyzError(problem);
  return name;
}

function shownUrl(to: string): string {
  const url = URL.canParse(to) ? new URL(to) : undefined;
  if (url !== undefined && url.username === "" && url.password === "") return url.origin;
  throw invalid(
    url === undefined ? "to: it is not a URL" : "to: a URL with a user or a password is not supported",
  );
}

const noAlert = (name: string, known: readonly { readonly value: AlertRecord }[]) =>
  new PloyzError({
    code: "no_such_alert",
    message: `there is no alert ${name}`,
    hint:
      known.length === 0
        ? "add one: ployzctl alert add NAME --to URL"
        : `the alerts are ${known.map(({ value }) => value.name).join(", ")}`,
  });

function rowOf(record: AlertRecord, state: AlertState): AlertRow {
  const { version: _, ...shown } = record;
  const failing = (record.delivery?.failures ?? 0) > 0;
  return {
    ...shown,
    state: record.delivery === undefined ? "new" : failing ? "failing" : "ok",
    waiting: pendingFor(state, record.name)?.ids.length ?? 0,
  };
}

/** Operations that ended this long ago are looked at: a machine that takes over the sending tells what the one before it did not. */
const RECENT_MS = 300_000;

/** A member as the sender of its cluster's alerts. */
export function senderOf(member: Member): Sender {
  const { cluster, machine } = member.membership();
  const { store, secrets, alerts } = member;
  return {
    ...{ self: machine.id, cluster: cluster.name, store, secrets, alerts },
    look: (signal) => conditionsOf(member, signal),
  };
}

/** What alerts tell: the warnings of `status` that are meant for them, schedules whose last run failed, and operations that failed. */
async function conditionsOf(member: Member, signal: AbortSignal): Promise<Seen | undefined> {
  const [{ warnings, operations, store }, schedules] = await Promise.all([
    clusterStatus(member, signal),
    scheduleRows(member),
  ]);
  if (store.state !== "connected") return undefined;
  const failing = schedules.filter(({ last }) => last?.state === "failed");
  const scheduled = new Set(schedules.flatMap(({ last }) => last?.operation ?? []));
  return {
    present: [
      ...warnings.filter(isAlert).map(({ code, about, message, hint }) => ({ code, about, message, hint })),
      ...failing.map(({ namespace, name, last }) =>
        warning("schedule_failed", `${namespace}/${name}`, {
          message: `the last run of ${namespace}/${name} failed: ${last?.error?.message ?? "see its operation"}`,
          hint: `ployzctl schedule show ${namespace}/${name}`,
        }),
      ),
    ],
    happened: [
      ...operations.filter((one) => !scheduled.has(one.operation)).flatMap((one) => failureOf(one)),
      ...schedules.flatMap(({ namespace, name, missed }) =>
        missed
          .filter(({ tick }) => Date.now() - Date.parse(tick) < RECENT_MS)
          .map(({ tick, why }) => ({
            id: `schedule ${namespace}/${name} ${tick}`,
            ...warning("schedule_missed", `${namespace}/${name}`, {
              message: `${namespace}/${name} did not run at ${tick}: ${why}`,
              hint: `ployzctl schedule show ${namespace}/${name}`,
            }),
          })),
      ),
    ],
  };
}

function failureOf({ operation, primitive, state, endedAt, error }: OperationSummary): readonly Happened[] {
  if (state !== "failed" || endedAt === undefined || Date.now() - Date.parse(endedAt) > RECENT_MS) return [];
  return [
    {
      id: `operation ${operation}`,
      ...warning("operation_failed", operation, {
        message: `${primitive} ${operation} failed: ${error?.message ?? "no reason was given"}`,
        hint: `ployzctl ops show ${operation}`,
      }),
    },
  ];
}
