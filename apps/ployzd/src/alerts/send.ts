import { createHash } from "node:crypto";
import { type AlertRecord, alertKey, type FactStore, type SecretRef } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { SecretKeeper } from "../secrets/keeper.ts";
import { mail } from "./mail.ts";
import { type Message, write } from "./message.ts";

const SEND_MS = 10_000;

/** The sealed part of an alert. */
export interface Target {
  readonly to: string;
  readonly key?: string;
}

/** In memory, by alert: so that the store's absence can be sent, too. */
export type Targets = Map<string, Target & { readonly version: string }>;

/** A secret of no namespace's: the kernel passes over records of alerts. */
export const targetName = (name: string): Pick<SecretRef, "namespace" | "name"> => ({
  namespace: "alerts",
  name: `a${createHash("sha256").update(name).digest("hex").slice(0, 40)}`,
});

export async function readTarget(
  secrets: Pick<SecretKeeper, "read">,
  { name, version }: Pick<AlertRecord, "name" | "version">,
): Promise<Target> {
  const [text = ""] = await secrets.read([{ ...targetName(name), version }]);
  return JSON.parse(text) as Target;
}

/** Reads the targets of new and changed alerts, and drops those of removed ones. One that cannot be read is tried again. */
export async function keepTargets(
  { secrets, alerts }: { readonly secrets: Pick<SecretKeeper, "read">; alerts(): readonly AlertRecord[] },
  targets: Targets,
): Promise<void> {
  const records = alerts();
  for (const name of targets.keys()) if (!records.some((one) => one.name === name)) targets.delete(name);
  for (const record of records) {
    const { name, version } = record;
    if (targets.get(name)?.version === version) continue;
    const target = await readTarget(secrets, record).catch(() => undefined);
    if (target !== undefined) targets.set(name, { ...target, version });
  }
}

/** Sends one message. @throws PloyzError `alert_failed`, without the URL. */
export async function send(
  record: Pick<AlertRecord, "name" | "format" | "to">,
  message: Message,
  target: Target | undefined,
  signal: AbortSignal,
): Promise<void> {
  const failed = (why: string) =>
    new PloyzError({
      code: "alert_failed",
      message: `${record.to} did not take the message of the alert ${record.name}: ${why}`,
      hint: `check the receiver, then: ployzctl alert test ${record.name}; or set the alert again`,
    });
  if (target === undefined) throw failed("its sealed URL could not be read");
  if (record.format === "mail")
    return mail(message, target.to, SEND_MS).catch((error: unknown) => {
      throw failed(reasonOf(error));
    });
  const { body, headers } = write(message, record.format, target.key);
  const response = await fetch(target.to, {
    ...{ method: "POST", body, headers, redirect: "manual" },
    signal: AbortSignal.any([signal, AbortSignal.timeout(SEND_MS)]),
  }).catch((error: unknown) => {
    throw failed(reasonOf(error));
  });
  await response.body?.cancel();
  if (!response.ok) throw failed(`it answered ${response.status}`);
}

/** The code of the error or of its cause, and of SMTP's answer: messages may contain the URL. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error.name === "TimeoutError") return `no answer within ${SEND_MS / 1000} s`;
  const at = "code" in error ? error : error.cause;
  // A TypeError of fetch without a code: such as a port that it never connects to.
  if (!(at instanceof Error) || !("code" in at))
    return error.name === "TypeError" ? "no request can be sent to its URL" : error.name;
  return "responseCode" in at
    ? `${String(at.code)}, it answered ${String(at.responseCode)}`
    : String(at.code);
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
