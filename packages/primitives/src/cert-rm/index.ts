import { type CertificateFacts, observeCertificate } from "../certificates/observe.ts";
import { type CertificateKinds, certificateSteps, settleSteps, silent } from "../certificates/steps.ts";
import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import { warningsOf } from "../engine/warnings.ts";
import { certificateFor, certificateKey } from "../model/certificate.ts";
import type { Json } from "../model/json.ts";
import { type CertRmInput, Input } from "./input.ts";

type Facts = CertificateFacts & {
  /** Hosts of committed routes over TLS, each with its namespace and service. */
  readonly hosts: readonly { readonly host: string; readonly user: string }[];
};
type Kinds = Pick<CertificateKinds, "certificate.serve" | "certificate.forget">;

/** Stops serving a certificate, and forgets its key. */
export const certRm: Primitive<PrimitivePorts, CertRmInput, Facts, Kinds, Json> = {
  name: "cert-rm",
  version: 1,
  parse: inputParser(Input),
  scope: ({ name }) => [`cert.${name.replace("*", "_any")}`],
  async observe({ name }, ports, signal) {
    const [facts, heads] = await Promise.all([
      observeCertificate(name, ports, signal),
      ports.store.commits.heads(),
    ]);
    const hosts = heads.flatMap(({ value: { namespace, routes } }) =>
      routes.flatMap((route) =>
        route.kind === "http" && route.tls === true
          ? [{ host: route.host, user: `${namespace}/${route.service}` }]
          : [],
      ),
    );
    return { ...facts, hosts };
  },
  plan({ name }, facts) {
    const { present, certificates } = facts;
    if (present === undefined)
      return {
        refusals: [
          unknownCertificate(
            name,
            certificates.map((one) => one.name),
          ),
        ],
      };
    const rest = certificates.filter((one) => one.name !== name);
    const users = facts.hosts.flatMap(({ host, user }) =>
      certificateFor(host, [present]) !== undefined && certificateFor(host, rest) === undefined
        ? [`${user} (${host})`]
        : [],
    );
    if (users.length > 0) return { refusals: [inUse(name, users)] };
    const gone = present.removed === true;
    return {
      ...{ basis: [], prepare: [], settle: gone ? [] : settleSteps(name, facts) },
      summary: { kind: "cert-rm", certificate: name, names: present.names },
      changes: !gone,
      warnings: gone ? [] : silent(facts),
    };
  },
  steps: {
    "certificate.serve": certificateSteps["certificate.serve"],
    "certificate.forget": certificateSteps["certificate.forget"],
  },
  commit({ name }, { present, revision }, _plan, { operation, at, by }) {
    if (present === undefined) throw new Error("a plan without a certificate");
    return {
      kind: "fact",
      key: certificateKey(name),
      value: { ...present, operation, at, by, removed: true },
      expected: revision,
    };
  },
  result: (_input, { summary, settle, warnings }, { output }) => ({
    ...(summary as { [field: string]: Json }),
    warnings: [...warnings, ...settle.flatMap(({ id }) => warningsOf(output(id)))],
  }),
};

const unknownCertificate = (name: string, known: readonly string[]): Refusal => ({
  code: "certificate_missing",
  message: `the cluster has no certificate ${name}`,
  hint: known.length === 0 ? "ployzctl cert ls" : `the certificates are: ${known.join(", ")}`,
});

const inUse = (name: string, users: readonly string[]): Refusal => ({
  code: "certificate_in_use",
  message: `${name} is served for ${users.join(", ")}`,
  hint: "deploy them without tls first, or issue another certificate for the host",
});
