import type { CertificateAccount, CertificateList, CertificateRow } from "@ployz/primitives/client";
import {
  type AcmeRecord,
  CERTIFICATES,
  type CertificateRecord,
  type Commit,
  certificateFor,
  type RenewalRecord,
  type RenewalWindow,
} from "@ployz/primitives/protocol";
import { ACME_KEY, authorityOf, EAB } from "../certificates/accounts.ts";
import { checkCertificate, trustedRoots } from "../certificates/check.ts";
import { LETS_ENCRYPT } from "../certificates/directories.ts";
import { renewalAt } from "../certificates/due.ts";
import { seal } from "../certificates/sealed.ts";
import { operationIds } from "../clock.ts";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import { printable } from "../operations/request.ts";
import { type Warning, type WarningCode, warning } from "../warnings/codes.ts";
import type { ApiRoutes } from "./router.ts";

type CertificateRoutes =
  | "GET /v1/certificates"
  | "POST /v1/certificates"
  | "DELETE /v1/certificates/:sealed"
  | "GET /v1/certificate-account"
  | "PUT /v1/certificate-account";

export function certificateRoutes(daemon: Daemon): Pick<ApiRoutes["json"], CertificateRoutes> {
  return {
    "GET /v1/certificates": () => certificateList(daemon.member()),
    "POST /v1/certificates": async ({ body }) => {
      const { name, chain, key, by } = await body();
      const { secrets, store } = daemon.member();
      const { certificate, pem } = checkCertificate(
        { chain, key },
        { name, roots: await trustedRoots(), now: new Date(), method: "import" },
      );
      const { facts } = store;
      const sealed = `u${operationIds.newOperationId().toLowerCase()}`;
      await seal({ facts, secrets }, { name: sealed, pem, certificate, by: printable(by) });
      return { kind: "certificate-upload", sealed, certificate };
    },
    "DELETE /v1/certificates/:sealed": async ({ params: { sealed } }) => {
      const { secrets, store } = daemon.member();
      const served = (await store.facts.list("certificate")).some(
        ({ value }) => value.removed !== true && value.sealed.name === sealed,
      );
      if (served)
        throw new PloyzError({
          code: "certificate_in_use",
          message: "the upload is served",
          hint: "remove its certificate: ployzctl cert rm NAME",
        });
      if (!/^u[0-9a-z]{26}$/.test(sealed)) return { kind: "certificate-forgotten", changed: false };
      const { changed } = await secrets.remove({ namespace: CERTIFICATES, name: sealed });
      return { kind: "certificate-forgotten", changed };
    },
    "GET /v1/certificate-account": async () => account(await authorityOf(daemon.member().store)),
    "PUT /v1/certificate-account": async ({ body }) => {
      const { eabKey, by: asked, ...wanted } = await body();
      const { store, secrets } = daemon.member();
      const by = printable(asked);
      const present = await store.facts.get(ACME_KEY);
      if (eabKey === "") await secrets.remove(EAB);
      else if (eabKey !== undefined)
        await secrets.set({ ...EAB, value: eabKey, private: true, by, acme: true });
      const { directory, email, root, eabKid } = { ...present?.value, ...wanted };
      const value: AcmeRecord = {
        directory: NAMED[directory ?? "letsencrypt"] ?? directory ?? "",
        ...(email && { email }),
        ...(root && { root }),
        ...(eabKid && { eabKid }),
        ...{ at: new Date().toISOString(), by },
      };
      const written = await store.facts.put(ACME_KEY, value, present?.revision ?? 0);
      if (!written.ok)
        throw new PloyzError({
          code: "conflict",
          message: "another command has just set the account",
          hint: "run the command again",
        });
      return account(value);
    },
  };
}

const NAMED: Readonly<Record<string, string>> = {
  letsencrypt: LETS_ENCRYPT.production,
  "letsencrypt-staging": LETS_ENCRYPT.staging,
};

const account = (record: AcmeRecord | undefined): CertificateAccount => ({
  kind: "certificate-account",
  directory: record?.directory ?? LETS_ENCRYPT.production,
  ...(record?.email !== undefined && { email: record.email }),
  ...(record?.eabKid !== undefined && { eabKid: record.eabKid }),
  root: record?.root !== undefined,
});

type CertificateSource = Pick<Member, "store" | "heads"> & {
  readonly secrets: Pick<Member["secrets"], "held">;
};

/** Reads the store, so that a command sees what the one before it did. */
export async function certificateList(member: CertificateSource): Promise<CertificateList> {
  const { facts } = member.store;
  const [records, renewals, windows, held] = await Promise.all([
    facts.list("certificate"),
    facts.list("renewal"),
    facts.list("renewal-window"),
    member.secrets.held(),
  ]);
  return {
    kind: "certificates",
    certificates: certificateRows({
      records: records.map(({ value }) => value),
      renewals: renewals.map(({ value }) => value),
      windows: windows.map(({ value }) => value),
      held: new Set(held.map(({ namespace, name }) => `${namespace}/${name}`)),
      commits: member.heads().map(({ commit }) => commit),
      now: Date.now(),
    }),
  };
}

/** Pure. */
export function certificateRows({
  records,
  renewals,
  windows,
  held,
  commits,
  now,
}: {
  readonly records: readonly CertificateRecord[];
  readonly renewals: readonly RenewalRecord[];
  readonly windows: readonly RenewalWindow[];
  /** Sealed keys that the store has: `certificates/c01…`; absent: not looked at. */
  readonly held?: ReadonlySet<string>;
  readonly commits: readonly Commit[];
  readonly now: number;
}): readonly CertificateRow[] {
  const hosts = commits.flatMap(({ namespace, routes }) =>
    routes.flatMap((route) =>
      route.kind === "http" && route.tls === true
        ? [{ host: route.host, user: `${namespace}/${route.service} ${route.host}` }]
        : [],
    ),
  );
  return records
    .filter(({ removed }) => removed !== true)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((record) => {
      const { name, names, issuer, fingerprint, notBefore, notAfter, method, directory, at, by } = record;
      const renewal = renewals.find((one) => one.name === name);
      const window = windows.find((one) => one.name === name && one.of === fingerprint);
      const due = renewalAt(record, window);
      const lost = held !== undefined && !held.has(`${record.sealed.namespace}/${record.sealed.name}`);
      const failed = renewal !== undefined && renewal.of === fingerprint && renewal.failures > 0;
      const state = lost ? "lost" : Date.parse(notAfter) <= now ? "expired" : due <= now ? "due" : "valid";
      return {
        ...{ name, names, issuer, fingerprint, notBefore, notAfter, method, at, by, state },
        ...(directory !== undefined && { directory }),
        ...(record.challenge !== undefined && { challenge: record.challenge }),
        ...(window?.from !== undefined &&
          window.to !== undefined && { window: { from: window.from, to: window.to } }),
        users: hosts.flatMap(({ host, user }) => (certificateFor(host, records) === record ? [user] : [])),
        ...(method !== "import" && { nextTry: failed ? renewal.next : new Date(due).toISOString() }),
        ...(renewal !== undefined && {
          lastTry: {
            ...{ at: renewal.at, machine: renewal.machine },
            ...(failed && renewal.error !== undefined && { error: renewal.error }),
          },
        }),
      };
    });
}

const LOUD_MS = 14 * 86_400_000;

/** From the first failed renewal on; louder when the end is near. */
export function certificateWarnings(rows: readonly CertificateRow[], now: number): readonly Warning[] {
  return rows.flatMap(({ name, state, method, notAfter, lastTry }): readonly Warning[] => {
    const warn = (code: WarningCode, message: string, hint: string) => [
      warning(code, name, { message, hint }),
    ];
    const again =
      method === "import" ? `ployzctl cert import ${name}` : `ployzctl cert issue ${name} --force`;
    const left = Date.parse(notAfter) - now;
    if (state === "lost")
      return warn("certificate_lost", `the store has lost the key of the certificate ${name}`, again);
    if (state === "expired")
      return warn("certificate_expired", `the certificate ${name} expired at ${notAfter}`, again);
    const failed = lastTry?.error;
    const soon =
      left < LOUD_MS
        ? `THE CERTIFICATE ${name} EXPIRES AT ${notAfter}`
        : `the certificate ${name} expires at ${notAfter}`;
    if (failed !== undefined)
      return warn(
        "certificate_failing",
        `${soon}, and its renewal failed: ${failed}`,
        `ployzctl cert renew ${name}`,
      );
    return method === "import" && state === "due" ? warn("certificate_due", soon, again) : [];
  });
}
