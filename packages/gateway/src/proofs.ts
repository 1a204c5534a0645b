import { createHash } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HOST_NAME } from "./certificates.ts";
import type { Settings } from "./desired.ts";
import { PloyzError } from "./error-codes.ts";
import { fromInside } from "./render-backend.ts";
import { sourceLimit } from "./render-edge.ts";

/*
 * Challenges TLS-ALPN-01 (RFC 8737): the authority opens a TLS connection for the host and the protocol `acme-tls/1`, and looks at the certificate. HAProxy
 * chooses certificates by host alone, and the host may be served. So while there are proofs, connections are sorted by their first message: those of an
 * authority to a frontend with the proofs, all others to the gateway's own, with the client's address in a PROXY header. Coming and going are reloads.
 */

/** PEM of certificate and key, by host. */
export type Proofs = ReadonlyMap<string, string>;

const folder = (dir: string): string => join(dir, "proofs");
const LIST = "list";
const PROTOCOL = "acme-tls/1";
const PEM = /^(-----BEGIN [A-Z ]+-----[A-Za-z0-9+/=\s]+-----END [A-Z ]+-----\s*)+$/;
/** Names of sockets, frontends and backends. */
export const [TLS, PROOF] = ["tls", "proof"] as const;

/** What makes a reload necessary; empty without proofs. */
export const proofsDigest = (proofs: Proofs): string =>
  proofs.size === 0
    ? ""
    : createHash("sha256")
        .update(JSON.stringify([...proofs].sort()))
        .digest("hex");

/** What a reload loads. @throws PloyzError `gateway_config_invalid`. */
export async function writeProofs(dir: string, proofs: Proofs): Promise<void> {
  for (const [host, pem] of proofs)
    if (!HOST_NAME.test(host) || host.startsWith("*") || !PEM.test(pem))
      throw new PloyzError({
        code: "gateway_config_invalid",
        message: `the proof of ${JSON.stringify(host)} is no certificate of a host`,
      });
  await mkdir(folder(dir), { recursive: true, mode: 0o700 });
  const file = (host: string): string =>
    `${createHash("sha256").update(host).digest("hex").slice(0, 24)}.pem`;
  const write = (name: string, text: string) => writeFile(join(folder(dir), name), text, { mode: 0o600 });
  for (const [host, pem] of proofs) await write(file(host), pem);
  await write(LIST, [...proofs.keys()].map((host) => `${join(folder(dir), file(host))} ${host}\n`).join(""));
  const keep = new Set([LIST, ...[...proofs.keys()].map(file)]);
  for (const entry of await readdir(folder(dir)))
    if (!keep.has(entry)) await rm(join(folder(dir), entry), { force: true });
}

type Render = {
  readonly section: (title: string, lines: readonly string[]) => string;
  readonly bind: (listen: Settings["listen"][number]) => string;
  readonly bindInside: (name: string, settings: Settings) => string;
};

/** The frontends and backends that sort connections; none without proofs. */
export function proofSections(settings: Settings, { section, bind, bindInside }: Render): readonly string[] {
  const { proofs, httpsListen, dir } = settings;
  if (proofs === undefined) return [];
  const serves = httpsListen !== undefined;
  return [
    section(`frontend ${TLS}`, [
      "mode tcp",
      ...proofs.listen.map(bind),
      ...sourceLimit(settings),
      "timeout client 24h",
      "tcp-request inspect-delay 10s",
      "tcp-request content accept if { req.ssl_hello_type 1 }",
      "tcp-request content reject",
      `use_backend ${PROOF} if { req.ssl_alpn ${PROTOCOL} }`,
      ...(serves ? [`default_backend ${TLS}`] : []),
    ]),
    section(`frontend ${PROOF}`, [
      `${bindInside(PROOF, settings)} ssl crt-list ${join(folder(dir), LIST)} strict-sni alpn ${PROTOCOL}`,
      "http-request return status 404",
    ]),
    section(`backend ${PROOF}`, ["mode tcp", `server next ${fromInside(PROOF, settings)}`]),
    ...(serves
      ? [
          section(`backend ${TLS}`, [
            "mode tcp",
            "timeout server 24h",
            `server next ${fromInside(TLS, settings)} send-proxy-v2`,
          ]),
        ]
      : []),
  ];
}
