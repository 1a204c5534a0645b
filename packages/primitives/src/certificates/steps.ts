import { errorBody } from "@ployz/errors";
import type { PlannedStep, Primitive, PrimitivePorts } from "../engine/types.ts";
import type { CertificateMeta, CertificateRecord } from "../model/certificate.ts";
import type { Json } from "../model/json.ts";
import type { CertificateOrder } from "../participant/certificate-commands.ts";
import type { CertificateFacts } from "./observe.ts";

type At = { readonly machine: string };

/** Steps of operations on certificates. */
export type CertificateKinds = {
  "certificate.order": {
    args: At & Omit<CertificateOrder, "operation">;
    out: { readonly certificate: CertificateMeta; readonly sealed: CertificateRecord["sealed"] };
  };
  /** Best effort: a machine that does not answer follows by itself when it is back. */
  "certificate.serve": {
    args: At & { readonly name: string };
    out: { readonly warning?: string };
  };
  "certificate.forget": { args: At & { readonly sealed: string }; out: null };
};

const MINUTE = 60_000;
/** An authority may take its time to look at each name, and is asked again after errors of its own. */
const ORDER = 10 * MINUTE;
const SERVE = MINUTE / 4;

/** The sealed name of an operation's certificate: a resumed operation finds it again. */
export const sealedName = (operation: string): string => `c${operation.toLowerCase()}`;

export const certificateSteps: Primitive<PrimitivePorts, Json, unknown, CertificateKinds, Json>["steps"] = {
  "certificate.order": {
    timeoutMs: () => ORDER + MINUTE,
    // An authority limits orders: the next one is the operator's, or the schedule's, decision.
    retryTransient: false,
    apply: ({ machine, ...order }, { call, operation, signal, progress }) =>
      call(
        machine,
        "certificate.order",
        { ...order, operation },
        {
          ...{ timeoutMs: ORDER, signal },
          onProgress: (note) => progress(typeof note === "string" ? note : ""),
        },
      ),
    async undo({ machine }, { call, operation, signal }) {
      await call(
        machine,
        "certificate.forget",
        { sealed: sealedName(operation) },
        { timeoutMs: MINUTE, signal },
      );
    },
  },
  "certificate.serve": {
    timeoutMs: () => 2 * SERVE,
    retryTransient: false,
    async apply({ machine, name }, { call, signal }) {
      try {
        await call(machine, "certificate.serve", { name }, { timeoutMs: SERVE, signal });
        return {};
      } catch (error) {
        signal.throwIfAborted();
        return {
          warning: `machine ${machine} has not confirmed the certificate: ${errorBody(error).message}`,
        };
      }
    },
  },
  "certificate.forget": {
    timeoutMs: () => 2 * MINUTE,
    retryTransient: true,
    apply: ({ machine, sealed }, { call, signal }) =>
      call(machine, "certificate.forget", { sealed }, { timeoutMs: MINUTE, signal }),
  },
};

/** All gateways serve the committed one; then the replaced key is forgotten. */
export function settleSteps(
  name: string,
  { machines, present }: CertificateFacts,
): readonly PlannedStep<Pick<CertificateKinds, "certificate.serve" | "certificate.forget">>[] {
  const answering = machines.flatMap(({ record, observation }) =>
    observation === undefined ? [] : [record.id],
  );
  const serve = answering.map((machine) => ({
    ...{ id: `serve@${machine}`, kind: "certificate.serve" as const, args: { machine, name } },
    ...{ machine, title: `serve ${name} on ${machine}`, needs: [] },
  }));
  const [first] = answering;
  if (first === undefined || present === undefined || present.removed === true) return serve;
  return [
    ...serve,
    {
      ...{ id: "forget", kind: "certificate.forget" as const, machine: first },
      args: { machine: first, sealed: present.sealed.name },
      title: `forget the replaced key of ${name}`,
      needs: serve.map(({ id }) => id),
    },
  ];
}

/** Warnings for machines that do not answer now. */
export const silent = ({ machines }: CertificateFacts): readonly string[] =>
  machines.flatMap(({ record, observation }) =>
    observation === undefined
      ? [`machine ${record.id} does not answer; it serves the certificate when it is back`]
      : [],
  );
