import { type CertificateFacts, observeCertificate } from "../certificates/observe.ts";
import { type CertificateKinds, certificateSteps, settleSteps, silent } from "../certificates/steps.ts";
import { refuseAdded, without } from "../change/decide/features.ts";
import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import { warningsOf } from "../engine/warnings.ts";
import { certificateKey } from "../model/certificate.ts";
import type { Json } from "../model/json.ts";
import { type CertIssueInput, Input } from "./input.ts";

const nameOf = ({ names }: Pick<CertIssueInput, "names">): string => names[0] ?? "";

/**
 * Gets a certificate from the cluster's authority, or a new one in its place. The old one is served until the new one is committed, so that a refused order
 * changes nothing.
 */
export const certIssue: Primitive<PrimitivePorts, CertIssueInput, CertificateFacts, CertificateKinds, Json> =
  {
    name: "cert-issue",
    version: 1,
    parse: inputParser(Input),
    scope: (input) => [`cert.${nameOf(input).replace("*", "_any")}`],
    observe: (input, ports, signal) => observeCertificate(nameOf(input), ports, signal),
    plan(input, facts) {
      const { names, staging = false, dns, challenge, force = false, replaces } = input;
      const name = nameOf(input);
      const { present } = facts;
      const machine = facts.machines.find(({ observation }) => observation !== undefined)?.record.id;
      const refusals: Refusal[] = names
        .filter((one) => one.startsWith("*.") && dns === undefined)
        .map((one) => ({
          code: "dns_provider_missing",
          message: `${one}: an authority proves a wildcard by DNS only`,
          hint: `ployzctl cert issue '${one}' --dns PROVIDER --secret NAMESPACE/SECRET`,
        }));
      if (dns !== undefined && challenge !== undefined)
        refusals.push({
          code: "invalid_input",
          message: `challenge: ${challenge} is not used where names are proved by DNS`,
          hint: "give one of the two",
        });
      if (challenge === "tls-alpn-01")
        refusals.push(...refuseAdded("challenge", [challenge], facts.machines));
      if (machine === undefined || refusals.length > 0) return { refusals };
      const valid =
        present !== undefined &&
        present.removed !== true &&
        names.every((one) => present.names.includes(one));
      const done =
        replaces === undefined
          ? valid && !force
          : present?.removed === true || present?.fingerprint !== replaces;
      return {
        basis: [],
        prepare: done
          ? []
          : [
              {
                ...{ id: "order", kind: "certificate.order", machine, needs: [] },
                args: {
                  ...{ machine, names, staging },
                  ...(dns !== undefined && { dns }),
                  ...(challenge !== undefined && { challenge }),
                  alpn: without("tls-alpn-01", facts.machines).length === 0,
                },
                title: `order a certificate for ${names.join(", ")}`,
              },
            ],
        settle: done ? [] : settleSteps(name, facts),
        summary: {
          ...{
            kind: "cert-issue",
            certificate: name,
            names,
          },
          ...(dns !== undefined && { method: "dns-01" }),
          ...(challenge !== undefined && { method: challenge }),
          ...(valid && { replaces: present.notAfter }),
        },
        changes: !done,
        warnings: done ? [] : silent(facts),
      };
    },
    steps: certificateSteps,
    commit(input, { revision }, _plan, { operation, at, by, output }) {
      const { certificate, sealed } = output("order", "certificate.order");
      return {
        kind: "fact",
        key: certificateKey(nameOf(input)),
        value: { ...certificate, sealed, operation, at, by },
        expected: revision,
      };
    },
    result: (_input, { summary, prepare, settle, warnings }, { output }) => ({
      ...(summary as { [field: string]: Json }),
      ...(prepare.length > 0 && {
        notAfter: output("order", "certificate.order")?.certificate.notAfter ?? "",
      }),
      warnings: [...warnings, ...settle.flatMap(({ id }) => warningsOf(output(id)))],
    }),
  };
