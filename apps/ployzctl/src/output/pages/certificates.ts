import type { CertificateAccount, CertificateList, CertificateRow, Json } from "../../api.ts";
import { ago, type Cell, lines, type Page, table } from "../page.ts";

const TONES = { valid: "ok", due: "warn", expired: "bad", lost: "bad" } as const;

export function certificatesPage({ certificates }: CertificateList, now: number): Page {
  return [
    table(
      "certificate",
      ["CERTIFICATE", "STATE", "EXPIRES", "ISSUER", "METHOD", "NEXT TRY", "USED BY", "OTHER NAMES"],
      certificates.map((one) => {
        const { name, names, state, notAfter, issuer, method, nextTry, users } = one;
        return [
          name,
          { text: state, tone: TONES[state] },
          until(notAfter, now),
          issuer,
          method,
          nextTry === undefined ? "-" : until(nextTry, now),
          users.length === 0 ? "-" : users.join(", "),
          names.filter((other) => other !== name).join(" ") || "-",
        ];
      }),
      {
        empty: "no certificates; get one: ployzctl cert issue NAME",
        drop: ["OTHER NAMES", "METHOD", "ISSUER"],
      },
    ),
    ...certificates.flatMap((one) => failure(one, now)),
  ];
}

function failure({ name, lastTry, state }: CertificateRow, now: number): Page {
  const failed: Cell[] =
    lastTry?.error === undefined
      ? []
      : [
          {
            text: `the last try to renew ${name} failed ${ago(lastTry.at, now)} on ${lastTry.machine}: ${lastTry.error}`,
            tone: "bad",
          },
        ];
  const lost: Cell[] =
    state === "lost"
      ? [{ text: `the store has lost the key of ${name}; issue or import it again`, tone: "bad" }]
      : [];
  return failed.length + lost.length === 0 ? [] : [lines(...failed, ...lost)];
}

export const certificateAccountPage = ({ directory, email, eabKid, root }: CertificateAccount): Page => [
  lines(
    `directory  ${directory}`,
    `email      ${email ?? "-"}`,
    `external   ${eabKid ?? "-"}`,
    `root       ${root ? "set" : "the machines' own"}`,
  ),
];

type Summary = {
  readonly certificate: string;
  readonly names: readonly string[];
  readonly kind: string;
  readonly notAfter?: string;
};
const isSummary = (value: unknown): value is Summary =>
  typeof value === "object" && value !== null && "certificate" in value && "names" in value;

/** The summary of an operation on a certificate. */
export function certificateLines(summary: Json): readonly Cell[] {
  if (!isSummary(summary)) return [];
  const { certificate, names, kind, notAfter } = summary;
  const others = names.filter((name) => name !== certificate);
  const what = `certificate ${certificate}${others.length === 0 ? "" : ` (and ${others.join(", ")})`}`;
  return [
    kind === "cert-rm"
      ? { text: `- ${what}`, tone: "bad" }
      : { text: `+ ${what}${notAfter === undefined ? "" : `, valid until ${notAfter}`}`, tone: "ok" },
  ];
}

/** `in 60d`, or `3h ago`. */
function until(text: string, now: number): string {
  const ms = Date.parse(text) - now;
  if (ms <= 0) return ago(text, now);
  const [minutes, hours, days] = [60_000, 3_600_000, 86_400_000].map((unit) => Math.floor(ms / unit));
  if ((days ?? 0) >= 2) return `in ${days}d`;
  return (hours ?? 0) >= 2 ? `in ${hours}h` : `in ${minutes}m`;
}
