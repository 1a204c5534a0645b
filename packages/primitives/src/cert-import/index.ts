import { type CertificateFacts, observeCertificate } from "../certificates/observe.ts";
import { type CertificateKinds, certificateSteps, settleSteps, silent } from "../certificates/steps.ts";
import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import { warningsOf } from "../engine/warnings.ts";
import { CERTIFICATES, certificateKey } from "../model/certificate.ts";
import type { Json } from "../model/json.ts";
import { type SecretRecord, secretKey } from "../model/secret.ts";
import { type CertImportInput, Input } from "./input.ts";

type Facts = CertificateFacts & { readonly upload?: SecretRecord };
type Kinds = Pick<CertificateKinds, "certificate.serve" | "certificate.forget">;

/** Serves an uploaded certificate. The daemon that took the upload has checked chain and key. */
export const certImport: Primitive<PrimitivePorts, CertImportInput, Facts, Kinds, Json> = {
  name: "cert-import",
  version: 1,
  parse: inputParser(Input),
  scope: ({ name }) => [`cert.${name.replace("*", "_any")}`],
  async observe({ name, sealed }, ports, signal) {
    const [facts, upload] = await Promise.all([
      observeCertificate(name, ports, signal),
      ports.store.facts.get(secretKey({ namespace: CERTIFICATES, name: sealed })),
    ]);
    return { ...facts, ...(upload !== undefined && { upload: upload.value }) };
  },
  plan({ name, sealed }, facts) {
    const { upload, present } = facts;
    const certificate = upload?.certificate;
    if (certificate === undefined)
      return {
        refusals: [
          {
            code: "certificate_missing",
            message: `the upload ${sealed} is not in the store`,
            hint: `run again: ployzctl cert import ${name} --cert FILE --key FILE`,
          },
        ],
      };
    const same = present?.removed !== true && present?.fingerprint === certificate.fingerprint;
    const { names, notAfter, issuer } = certificate;
    return {
      ...{ basis: [], prepare: [], settle: same ? [] : settleSteps(name, facts) },
      summary: { kind: "cert-import", certificate: name, names, notAfter, issuer },
      changes: !same,
      warnings: same ? [] : silent(facts),
    };
  },
  steps: {
    "certificate.serve": certificateSteps["certificate.serve"],
    "certificate.forget": certificateSteps["certificate.forget"],
  },
  commit({ name }, { upload, revision }, _plan, { operation, at, by }) {
    if (upload?.certificate === undefined) throw new Error("a plan without an upload");
    const { namespace, name: sealed, version, certificate } = upload;
    return {
      kind: "fact",
      key: certificateKey(name),
      value: {
        ...{ ...certificate, name, sealed: { namespace, name: sealed, version } },
        ...{ operation, at, by },
      },
      expected: revision,
    };
  },
  result: (_input, { summary, settle, warnings }, { output }) => ({
    ...(summary as { [field: string]: Json }),
    warnings: [...warnings, ...settle.flatMap(({ id }) => warningsOf(output(id)))],
  }),
};
