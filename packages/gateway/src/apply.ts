import { join } from "node:path";
import { type Listen, project, type Settings, socketAddress } from "./desired.ts";
import { PloyzError } from "./error-codes.ts";
import { discard, readCurrent, type Saved, switchTo, writeGeneration } from "./generations.ts";
import { type Haproxy, isUnreachable, requireFree } from "./haproxy.ts";
import type { Holds } from "./holds.ts";
import { mapText, render } from "./render.ts";
import { checkWords } from "./render-backend.ts";
import { openWorker, type Worker } from "./worker.ts";

/** What it took. */
export type Brought = "none" | "runtime" | "reload" | "start";

/** The worker that takes new connections. */
export async function currentWorker(haproxy: Haproxy): Promise<Worker> {
  const pid = (await haproxy.processes())?.workers[0];
  if (pid !== undefined) return openWorker(haproxy.control, pid);
  throw new PloyzError({ code: "haproxy_unreachable", message: "HAProxy has no worker" });
}

/**
 * Applies a state to disk and HAProxy: renders it, validates it where its shape is new, tries its ports; then makes it current on disk; then puts it into effect.
 * When it fails before the second, nothing has changed; when HAProxy cannot load it, the state before is current again.
 */
export async function bringInto(
  { haproxy, settings, holds }: { haproxy: Haproxy; settings: Settings; holds: Holds },
  saved: Saved,
): Promise<Brought> {
  const { dir } = settings;
  const words = checkWords(settings);
  const desired = project(saved.table, settings, new Set(saved.drained));
  // The file is what HAProxy starts with, perhaps long after a hold.
  const now = project(saved.table, settings, new Set([...saved.drained, ...holds.drained()]));
  const before = await readCurrent(dir);
  const config = render(desired, settings);
  const map = mapText(desired.map);
  const https = mapText(desired.httpsOnly);
  const redirects = mapText(desired.redirects);
  let name = before?.name;
  if (
    !before ||
    before.config !== config ||
    before.map !== map ||
    before.https !== https ||
    before.redirects !== redirects ||
    !sameJson(before.saved, saved)
  ) {
    const next = await writeGeneration(dir, { config, map, https, redirects, saved });
    name = next.name;
    if (!before || before.map !== map || shape(before.config) !== shape(config))
      await haproxy.validate(join(dir, next.name)).catch(async (error: unknown) => {
        await discard(dir, next.name);
        throw error;
      });
  }
  const become = (): Promise<void> => switchTo(dir, name ?? "");
  const giveUp = async (error: unknown): Promise<never> => {
    if (name !== before?.name) await discard(dir, name ?? "");
    throw error;
  };
  const listens: Listen[] = [
    ...settings.listen,
    ...(settings.httpsListen ?? settings.proofs?.listen ?? []),
    ...(settings.statsListen ? [settings.statsListen] : []),
    ...desired.ports.flatMap(({ port }) => settings.listen.map(({ host }) => ({ host, port }))),
  ];

  if ((await haproxy.processes()) === undefined && (await haproxy.state()) !== "running") {
    for (const listen of listens) await requireFree(listen).catch(giveUp);
    await become();
    await haproxy.start();
    return "start";
  }
  const running = openWorker(haproxy.control, (await haproxy.whenUp()).workers[0] ?? 0);
  if ((await running.structure()) === desired.structure) {
    await become();
    try {
      return (await (await currentWorker(haproxy)).reconcile(now, words)) > 0 ? "runtime" : "none";
    } catch (error) {
      // The worker died or refused a command: the state on disk is right, so reload it.
      if (isUnreachable(error)) await haproxy.whenUp();
      await haproxy.reload();
      return "reload";
    }
  }
  const bound = parseBinds(before?.config ?? "");
  for (const listen of listens) if (!bound.has(bindKey(listen))) await requireFree(listen).catch(giveUp);
  await become();
  // On failure the waiting requests get a 503; the reload does the rest.
  if (holds.any()) await holds.letGo(running, desired, words).catch(() => undefined);
  try {
    await haproxy.reload();
  } catch (error) {
    if (before) await switchTo(dir, before.name);
    throw error;
  }
  const worker = await currentWorker(haproxy);
  if (holds.any()) await holds.open(worker);
  // Drained servers have weight 0 in the file; the rest is as it should be already.
  await worker.reconcile(now, words);
  return "reload";
}

/**
 * A configuration without its servers. One that differs from an accepted configuration in its servers only needs no new validation: their
 * lines are made from checked addresses, and asking takes longer than all the rest of a change.
 */
const shape = (config: string): string => config.replace(/^ {2}server s\d+ .*$/gm, "");

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const bindKey = (listen: Listen): string => socketAddress({ address: listen.host, port: listen.port });

/** The addresses that a running configuration listens on already. */
function parseBinds(config: string): ReadonlySet<string> {
  return new Set([...config.matchAll(/^ {2}bind (\S+)/gm)].map((match) => match[1] ?? ""));
}
