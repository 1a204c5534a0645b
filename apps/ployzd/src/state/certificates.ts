import { createHash } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJson } from "./files.ts";

/** A certificate on this machine, with its key. */
export interface KeptCertificate {
  readonly name: string;
  readonly names: readonly string[];
  /** RFC 3339: when it was committed. */
  readonly at: string;
  /** Of the fact. */
  readonly revision: number;
  readonly fingerprint: string;
  /** PEM: certificate, intermediates, key. */
  readonly pem: string;
}

/** This machine's certificates, one file (0600) each: the gateway starts with them, without the daemon and without the store. */
export interface CertificateFiles {
  list(): Promise<readonly KeptCertificate[]>;
  put(certificate: KeptCertificate): Promise<void>;
  remove(name: string): Promise<void>;
}

export function openCertificateFiles(dir: string): CertificateFiles {
  const file = (name: string) => join(dir, `${certificateId(name)}.json`);
  return {
    async list() {
      const entries = await readdir(dir).catch(() => []);
      const all = entries
        .filter((entry) => entry.endsWith(".json"))
        .map((entry) => readJson<KeptCertificate>(join(dir, entry)));
      return (await Promise.all(all)).flatMap((one) => one ?? []);
    },
    async put(certificate) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeJson(file(certificate.name), certificate);
    },
    remove: (name) => rm(file(name), { force: true }),
  };
}

/** A certificate's name as the name of a file. */
export const certificateId = (name: string): string =>
  `c${createHash("sha256").update(name).digest("hex").slice(0, 24)}`;
