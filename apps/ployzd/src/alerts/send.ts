import { createHash } from "node:crypto";
import { type AlertRecord, alertKey, type FactStore, type SecretRef } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { SecretKeeper } from "../secrets/keeper.ts";
import { type Message, write } from "./message.ts";

const SEND_MS = 10_000;

/** The sealed part of an alert. */
export interface Target {
  readonly to: string;
  readonly key?: string;
}

/** A secret of no namespace's: the kernel passes over records of alerts. */
export const targetName = (name: string): Pick<SecretRef, "namespace" | "name"> => ({
  namespace: "alerts",
  name: `a${createHash("sha256").update(name).digest("hex").slice(0, 40)}`,
});

/** Sends one message. @throws PloyzError `alert_failed`, without the URL. */
export async function send(
  record: Pick<AlertRecord, "name" | "format" | "to" | "version">,
  message: Message,
  { secrets, signal }: { readonly secrets: Pick<SecretKeeper, "read">; readonly signal: AbortSignal },
): Promise<void> {
  const [text = ""] = await secrets.read([{ ...targetName(record.name), version: record.version }]);
  const { to, key } = JSON.parse(text) as Target;
  const { body, headers } = write(message, record.format, key);
  const failed = (why: string) =>
    new PloyzError({
      code: "alert_failed",
      message: `${record.to} did not take the message of the alert ${record.name}: ${why}`,
      hint: `check the receiver, then: ployzctl alert test ${record.name}; or set the alert again`,
    });
  const response = await fetch(to, {
    ...{ method: "POST", body, headers, redirect: "manual" },
    signal: AbortSignal.any([signal, AbortSignal.timeout(SEND_MS)]),
  }).catch((error: unknown) => {
    throw failed(reasonOf(error));
  });
  await response.body?.cancel();
  if (!response.ok) throw failed(`it answered ${response.status}`);
}

/** The cause's code: its message may contain the URL. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error.name === "TimeoutError") return `no answer within ${SEND_MS / 1000} s`;
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? String(cause.code) : error.name;
}

/** Writes an alert's last delivery, unless the alert was changed meanwhile. */
export async function noteDelivery(
  facts: Pick<FactStore, "get" | "put">,
  name: string,
  tried: { readonly at: string; readonly machine: string; readonly error?: string },
): Promise<number> {
  const found = await facts.get(alertKey(name));
  if (found === undefined) return 0;
  const failures = tried.error === undefined ? 0 : (found.value.delivery?.failures ?? 0) + 1;
  await facts.put(alertKey(name), { ...found.value, delivery: { ...tried, failures } }, found.revision);
  return failures;
}
