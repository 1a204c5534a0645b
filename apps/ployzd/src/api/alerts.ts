import { errorBody } from "@ployz/errors";
import type { AlertList, AlertRow } from "@ployz/primitives/client";
import {
  type AlertFormat,
  type AlertRecord,
  type AlertState,
  alertKey,
  checkLabel,
  secretKey,
} from "@ployz/primitives/protocol";
import { NONE, pendingFor } from "../alerts/decide.ts";
import { mailTarget } from "../alerts/mail.ts";
import { noteDelivery, readTarget, send, type Target, targetName } from "../alerts/send.ts";
import { LEASE } from "../alerts/watch.ts";
import { operationIds } from "../clock.ts";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import { invalid, printable } from "../operations/request.ts";
import type { ApiRoutes } from "./router.ts";

type Routes =
  | "GET /v1/alerts"
  | "PUT /v1/alerts/:name"
  | "DELETE /v1/alerts/:name"
  | "POST /v1/alerts/:name/test";

export function alertRoutes(daemon: Daemon): Pick<ApiRoutes["json"], Routes> {
  return {
    "GET /v1/alerts": () => alertList(daemon.member()),
    "PUT /v1/alerts/:name": async ({ params, body }) => {
      const { to, format, key, by } = await body();
      const { store, secrets } = daemon.member();
      const name = needName(params.name);
      const shown = shownUrl(to, format);
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
        const target = await readTarget(member.secrets, found.value);
        await send(found.value, message, target, signal);
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

/** By the store, or by this machine's copy while the store is away: an operator asks for it then. */
export async function alertList({
  store,
  alerts: copy,
}: Pick<Member, "store" | "alerts">): Promise<AlertList> {
  const { facts, leases } = store;
  const listOf = (records: readonly AlertRecord[], state: AlertState = NONE) => ({
    ...{ kind: "alerts" as const, alerts: records.map((one) => rowOf(one, state)), conditions: state.open },
  });
  try {
    const [alerts, found, lease] = await Promise.all([
      facts.list("alert"),
      facts.get("alerting.state"),
      leases.get(LEASE),
    ]);
    const list = listOf(
      alerts.map(({ value }) => value),
      found?.value,
    );
    return { ...list, ...(lease && { sender: lease.holder.machine }) };
  } catch (error) {
    if (errorBody(error).code !== "store_unavailable") throw error;
    return { ...listOf(copy.records(), copy.state()), copy: true };
  }
}

function needName(name: string): string {
  const problem = checkLabel("alert", name);
  if (problem !== undefined) throw new PloyzError(problem);
  return name;
}

/** Scheme and host: the path of a webhook, and the user and the recipients of mail, stay sealed. */
function shownUrl(to: string, format: AlertFormat): string {
  if (format === "mail") {
    const mail = mailTarget(to);
    if (mail === undefined)
      throw invalid("to: mail needs smtp://USER:PASSWORD@HOST:PORT/?from=ADDRESS&to=ADDRESS,ADDRESS");
    return `${mail.secure ? "smtps" : "smtp"}://${mail.host}:${mail.port}`;
  }
  const url = URL.canParse(to) ? new URL(to) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw invalid("to: it is not a URL with http or https");
  if (url.username !== "" || url.password !== "")
    throw invalid("to: a URL with a user or a password is not supported");
  return url.origin;
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
