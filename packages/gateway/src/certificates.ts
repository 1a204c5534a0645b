import { X509Certificate } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "@ployz/exec";
import { PloyzError } from "./error-codes.ts";
import type { Worker } from "./worker.ts";

/** A certificate with its key, for the names that a client asks for by SNI. */
export interface Certificate {
  /** Stable over renewals; letters, digits and dashes. */
  readonly id: string;
  /** Lower-case host names; `*.example.com` stands for one label. No two certificates have the same name. */
  readonly names: readonly string[];
  /** PEM: the certificate, its intermediates, its key. */
  readonly pem: string;
}

/** HAProxy's crt-list (configuration manual, 5.1) and, beside it, a file for each certificate. */
const LIST = "list";
const ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** Lower-case; `*.` stands for one label. */
export const HOST_NAME = /^(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/;
/** HAProxy takes a payload with its command into one buffer of 16 KiB; a larger certificate needs a reload. */
const PAYLOAD_BYTES = 15_000;

export const listPath = (dir: string): string => join(dir, "certs", LIST);
const pemPath = (dir: string, id: string): string => join(dir, "certs", `${id}.pem`);

export function checkCertificates(certificates: readonly Certificate[]): void {
  const taken = new Map<string, string>();
  for (const { id, names } of certificates) {
    if (!ID.test(id)) throw invalid(`certificate id ${JSON.stringify(id)} is not a name`);
    for (const name of names) {
      const other = taken.get(name);
      if (!HOST_NAME.test(name)) throw invalid(`certificate ${id} has the name ${JSON.stringify(name)}`);
      if (other !== undefined) throw invalid(`certificates ${other} and ${id} both have ${name}`);
      taken.set(name, id);
    }
  }
}

/** Those on disk, which HAProxy starts with. */
export async function readCertificates(dir: string): Promise<readonly Certificate[]> {
  const list = await readFile(listPath(dir), "utf8").catch(absent);
  if (list === undefined) return [];
  const lines = list.split("\n").filter((line) => line !== "");
  return Promise.all(
    lines.map(async (line) => {
      const [path = "", ...names] = line.split(" ");
      const id = path.slice(path.lastIndexOf("/") + 1).replace(/\.pem$/, "");
      return { id, names, pem: await readFile(pemPath(dir, id), "utf8") };
    }),
  );
}

/** Replaces those on disk: first new files, then the list, then the removal of old files, so that HAProxy can start at any moment. */
export async function writeCertificates(dir: string, certificates: readonly Certificate[]): Promise<void> {
  const folder = join(dir, "certs");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const replace = async (path: string, text: string): Promise<void> => {
    if ((await readFile(path, "utf8").catch(absent)) === text) return;
    await writeFile(`${path}.new`, text, { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
  };
  for (const { id, pem } of certificates) await replace(pemPath(dir, id), pem);
  await replace(listPath(dir), listText(dir, certificates));
  await syncFolder(folder);
  const keep = new Set([LIST, ...certificates.map(({ id }) => `${id}.pem`)]);
  for (const entry of await readdir(folder)) if (!keep.has(entry)) await rm(join(folder, entry));
}

const listText = (dir: string, certificates: readonly Certificate[]): string =>
  sorted(certificates)
    .map(({ id, names }) => `${[pemPath(dir, id), ...names].join(" ")}\n`)
    .join("");

export const sameCertificates = (a: readonly Certificate[], b: readonly Certificate[]): boolean =>
  JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

const sorted = (certificates: readonly Certificate[]): readonly Certificate[] =>
  [...certificates].sort((a, b) => (a.id < b.id ? -1 : 1));

/**
 * Gives a worker the certificates by its runtime API (management guide, 9.3); new handshakes use them at once, connections live on. `false`: one is too large
 * for a command.
 */
export async function serveCertificates(
  worker: Pick<Worker, "ask">,
  dir: string,
  certificates: readonly Certificate[],
): Promise<boolean> {
  if (certificates.some(({ pem }) => Buffer.byteLength(pem) > PAYLOAD_BYTES)) return false;
  const list = listPath(dir);
  const listed = parseList(await worker.ask(`show ssl crt-list -n ${list}`));
  const stored = new Set(
    (await worker.ask("show ssl cert"))
      .split("\n")
      .filter((line) => line.startsWith(join(dir, "certs", "/"))),
  );
  const tell = async (command: string, payload?: string): Promise<void> => {
    const answer = await worker.ask(command, payload);
    if (!/success|deleted|created|new empty/i.test(answer))
      throw new PloyzError({
        code: "gateway_command_refused",
        message: `HAProxy rejects ${JSON.stringify(command)}: ${answer.trim()}`,
        hint: "check that HAProxy is 2.6 or newer (haproxy -v); if it is, report this as a defect",
      });
  };
  const wanted = new Map(sorted(certificates).map((one) => [pemPath(dir, one.id), one]));
  for (const [path, { names, pem }] of wanted) {
    if (!stored.has(path)) await tell(`new ssl cert ${path}`);
    if (
      !stored.has(path) ||
      fingerprintIn(await worker.ask(`show ssl cert ${path}`)) !== fingerprintOf(pem)
    ) {
      await tell(`set ssl cert ${path}`, `${pem.trimEnd()}\n`);
      await tell(`commit ssl cert ${path}`);
    }
    const line = names.join(" ");
    const present = listed.filter((one) => one.path === path);
    if (present.some((one) => one.names === line)) continue;
    for (const { at } of present) await tell(`del ssl crt-list ${list} ${path}:${at}`);
    await tell(`add ssl crt-list ${list}`, `${path} ${line}\n`);
  }
  for (const { path, at } of listed)
    if (!wanted.has(path)) await tell(`del ssl crt-list ${list} ${path}:${at}`);
  for (const path of stored) if (!wanted.has(path)) await tell(`del ssl cert ${path}`);
  return true;
}

/** `show ssl crt-list -n`: `PATH:LINE NAMES`, in which options are in brackets. */
function parseList(
  text: string,
): readonly { readonly path: string; readonly at: string; readonly names: string }[] {
  return text.split("\n").flatMap((line) => {
    const row = /^(\/\S+?):(\d+)\s*(?:\[[^\]]*\])?\s*(.*)$/.exec(line.trim());
    return row === null ? [] : [{ path: row[1] ?? "", at: row[2] ?? "", names: (row[3] ?? "").trim() }];
  });
}

const fingerprintIn = (shown: string): string | undefined =>
  /SHA1 FingerPrint: ([0-9A-F]+)/i.exec(shown)?.[1];
const fingerprintOf = (pem: string): string => new X509Certificate(pem).fingerprint.replaceAll(":", "");

const invalid = (message: string): PloyzError =>
  new PloyzError({
    code: "gateway_config_invalid",
    message,
    hint: "the certificates in effect are unchanged",
  });

function absent(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}
