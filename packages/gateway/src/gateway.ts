import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import { type Brought, bringInto, currentWorker } from "./apply.ts";
import {
  type Certificate,
  checkCertificates,
  readCertificates,
  sameCertificates,
  serveCertificates,
  writeCertificates,
} from "./certificates.ts";
import { serveChallenges, writeChallenges } from "./challenges.ts";
import type { Gateway } from "./contract.ts";
import { savedAfter, serversOf } from "./departed.ts";
import { type Desired, project, type Settings, socketAddress } from "./desired.ts";
import { PloyzError } from "./error-codes.ts";
import { readCurrent, type Saved } from "./generations.ts";
import { findHaproxy, type Haproxy, openHaproxy } from "./haproxy.ts";
import { openHolds } from "./holds.ts";
import { type Proofs, proofsDigest, writeProofs } from "./proofs.ts";
import { leaving } from "./reconcile.ts";
import { checkWords } from "./render-backend.ts";
import { checkFolder, type GatewayOptions, ownPorts, readSettings, settingsWith } from "./settings.ts";
import { statusOf } from "./status.ts";
import { type RouteTable, validateTable } from "./table.ts";
import { openWorker, type Worker } from "./worker.ts";

const SWEEP_MS = 200;
const TEND_MS = 100;

/** Opens the gateway of a folder. Starts nothing: see `adopt`. @throws PloyzError `gateway_config_invalid`, `haproxy_missing`. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const { dir } = options;
  checkFolder(dir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const settings = await readSettings(options);
  const program = await findHaproxy(options.haproxy);
  await mkdir(join(dir, "certs"), { recursive: true, mode: 0o700 });
  await writeChallenges(dir, new Map());
  await writeProofs(dir, new Map());
  const certificates = await readCertificates(dir);
  // The workers' user must reach the handover socket in it; other users cannot enter `dir`.
  await mkdir(join(dir, "jail"), { recursive: true });
  await chmod(join(dir, "jail"), 0o711);
  const serviceName = options.serviceName ?? "ployz-haproxy";
  const { services, maxOldWorkers = 20 } = options;
  const haproxy = openHaproxy({ dir, program, services, serviceName, maxOldWorkers });
  return gateway(haproxy, { settings, certificates, drainTimeoutMs: options.drainTimeoutMs ?? 60_000 });
}

function gateway(
  haproxy: Haproxy,
  {
    settings: all,
    certificates: found,
    drainTimeoutMs,
  }: {
    readonly settings: Settings;
    readonly certificates: readonly Certificate[];
    readonly drainTimeoutMs: number;
  },
): Gateway {
  const { dir } = all;
  let certificates = found;
  let proofs: Proofs = new Map();
  const settingsNow = (): Settings => settingsWith(all, { certificates, proofs });
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const result = last.then(task, task);
    last = result.catch(() => undefined);
    return result;
  };
  const desiredOf = (saved: Saved): Desired =>
    project(saved.table, settingsNow(), new Set([...saved.drained, ...holds.drained()]));
  const current = (): Promise<Worker> => currentWorker(haproxy);
  const holds = openHolds(dir);
  const bring = (saved: Saved): Promise<Brought> =>
    bringInto({ haproxy, settings: settingsNow(), holds }, saved);

  /** Frees slots whose removed server is idle. Runs while such slots exist. */
  const deadlines = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const sweep = async (): Promise<boolean> => {
    const saved = await currentSaved();
    if (!saved) return false;
    const worker = await current();
    let waiting = false;
    for (const slot of leaving(desiredOf(saved), await worker.slots())) {
      const key = `${worker.pid} ${slot.backend} ${slot.name}`;
      const deadline = deadlines.get(key) ?? performance.now() + drainTimeoutMs;
      deadlines.set(key, deadline);
      const late = performance.now() >= deadline;
      if (slot.sessions > 0 && !late) waiting = true;
      else {
        await worker.release(slot, slot.sessions > 0);
        deadlines.delete(key);
      }
    }
    return waiting;
  };
  const keepSweeping = (): void => {
    if (timer || closed) return;
    timer = setTimeout(() => {
      inTurn(sweep)
        .catch(() => true)
        .then((again) => {
          timer = undefined;
          if (again) keepSweeping();
        }, ignore);
    }, SWEEP_MS);
    timer.unref();
  };

  const tend = async (): Promise<void> => {
    const [saved, worker] = [await currentSaved(), await current()];
    await holds.tend(worker, async (name) => {
      const backends = saved ? desiredOf(saved).backends.filter((backend) => backend.name === name) : [];
      await worker.serve(backends, checkWords(all), true);
    });
  };
  let tending: NodeJS.Timeout | undefined;
  const keepTending = (): void => {
    if (tending || closed || !holds.any()) return;
    tending = setTimeout(() => {
      inTurn(tend)
        .catch(ignore) // HAProxy does not answer now; the next turn tries again.
        .then(() => {
          tending = undefined;
          keepTending();
        }, ignore);
    }, TEND_MS);
    tending.unref();
  };

  const currentSaved = async (): Promise<Saved | undefined> => (await readCurrent(dir))?.saved;
  const applyNow = async (table: RouteTable): Promise<Brought> => {
    const refusals = validateTable(table, { reservedPorts: ownPorts(settingsNow()) });
    if (refusals.length > 0)
      throw new PloyzError({
        code: "gateway_config_invalid",
        message: refusals.map((refusal) => refusal.message).join("; "),
        hint: "the routes in effect are unchanged; correct the named routes",
        details: { refusals: refusals.map((refusal) => refusal.code) },
      });
    const before = await currentSaved();
    const changed = await bring(savedAfter(before, table));
    keepSweeping();
    if (holds.any()) await tend().catch(ignore); // The next turn does it.
    return changed;
  };
  /** By the runtime API where it can be done, else with a reload from disk. */
  const bringCertificates = async (): Promise<void> => {
    if (all.httpsListen === undefined || certificates.length === 0) return;
    if (!(await serveCertificates(await current(), dir, certificates))) await haproxy.reload();
  };
  const sessionsOf = async (sockets: ReadonlySet<string>): Promise<number> => {
    let sum = 0;
    const now = await haproxy.processes();
    for (const pid of [...(now?.workers ?? []), ...(now?.oldWorkers ?? [])]) {
      const slots = await openWorker(haproxy.control, pid).slots();
      for (const slot of slots) if (sockets.has(socketAddress(slot))) sum += slot.sessions;
    }
    return sum;
  };

  return {
    apply: (table) =>
      inTurn(async () => {
        const changed = await applyNow(table);
        return { changed: changed === "start" ? "reload" : changed, version: table.version };
      }),
    adopt: () =>
      inTurn(async () => {
        const saved = await currentSaved();
        if (!saved) return { state: "absent" };
        await holds.load();
        const changed = await applyNow(saved.table);
        await bringCertificates();
        await tend();
        keepTending();
        const state = (
          { none: "adopted", start: "started", runtime: "repaired", reload: "repaired" } as const
        )[changed];
        return { state, version: saved.table.version };
      }),
    status: async () => statusOf(haproxy, await currentSaved(), desiredOf),
    async drain(serverId, drainOptions = {}) {
      const sockets = await inTurn(async () => {
        const saved = await currentSaved();
        if (!saved) return new Set<string>();
        const mine = serversOf(saved.table).filter((server) => server.id === serverId);
        if (mine.length > 0 && !saved.drained.includes(serverId))
          await bring({ ...saved, drained: [...saved.drained, serverId].sort() });
        // Sessions of an address that another server of the table has by now are not the departed one's.
        const taken = new Set(serversOf(saved.table).map(socketAddress));
        const departed = saved.departed.filter(
          (one) => one.id === serverId && !taken.has(socketAddress(one)),
        );
        return new Set([...mine, ...departed].map(socketAddress));
      });
      let sessions = 0;
      const idle = async (): Promise<true | undefined> => {
        sessions = await sessionsOf(sockets);
        return sessions === 0 || undefined;
      };
      const timeoutMs = drainOptions.timeoutMs ?? drainTimeoutMs;
      const bounds = {
        timeoutMs,
        intervalMs: 50,
        ...(drainOptions.signal && { signal: drainOptions.signal }),
      };
      try {
        await waitFor(`server ${serverId} to finish its requests`, idle, bounds);
      } catch (error) {
        if (!(error instanceof PloyzError) || error.code !== "deadline_exceeded") throw error;
      }
      return { drained: sessions === 0, sessions };
    },
    undrain: (serverId) =>
      inTurn(async () => {
        const saved = await currentSaved();
        if (saved?.drained.includes(serverId))
          await bring({ ...saved, drained: saved.drained.filter((id) => id !== serverId) });
      }),
    hold: (wanted, ms, { drain = false } = {}) =>
      inTurn(async () => {
        const saved = await currentSaved();
        const mine = saved ? desiredOf(saved).backends.filter((backend) => wanted(backend.id)) : [];
        if (mine.length === 0) return [];
        await holds.begin(
          mine.map(({ name, servers }) => ({
            name,
            drained: drain && ms > 0 ? servers.map(({ id }) => id) : [],
          })),
          ms,
        );
        await tend();
        keepTending();
        const held = mine.filter((backend) => holds.has(backend.name));
        return [...new Set(held.map((backend) => backend.id))];
      }),
    certify: (wanted) =>
      inTurn(async () => {
        checkCertificates(wanted);
        if (sameCertificates(wanted, certificates)) return;
        const before = certificates;
        await writeCertificates(dir, wanted);
        certificates = wanted;
        const saved = await currentSaved();
        if (saved === undefined) return;
        try {
          await bring(saved);
          await bringCertificates();
        } catch (error) {
          certificates = before;
          await writeCertificates(dir, before);
          throw error;
        }
      }),
    challenge: (answers, wanted = new Map()) =>
      inTurn(async () => {
        await writeChallenges(dir, answers);
        const before = proofs;
        await writeProofs(dir, wanted);
        proofs = wanted;
        const saved = proofsDigest(wanted) === proofsDigest(before) ? undefined : await currentSaved();
        try {
          if (saved !== undefined) await bring(saved);
        } catch (error) {
          proofs = before;
          await writeProofs(dir, before);
          throw error;
        }
        if ((await haproxy.processes()) !== undefined) await serveChallenges(await current(), dir, answers);
      }),
    stop: () =>
      inTurn(() => {
        holds.clear();
        return haproxy.stop();
      }),
    close() {
      closed = true;
      clearTimeout(timer);
      clearTimeout(tending);
    },
  };
}

const ignore = (): void => undefined;
