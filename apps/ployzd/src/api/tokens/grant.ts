import {
  coversNamespace,
  isLabel,
  type Permission,
  shown,
  type TokenRecord,
} from "@ployz/primitives/protocol";
import { PloyzError } from "../../error-codes.ts";

/** A caller with a token, and the right that the token gives. */
export interface Grant {
  /** How records name it: `token:ci`. */
  readonly caller: string;
  readonly record: TokenRecord;
  /** Whether the token acts in the namespace: decides also what the caller sees. */
  covers(namespace: string): boolean;
}

/** The needs of a call: one of the permissions (`any`: a token is enough), and the namespaces that it names. */
export type Demand = {
  /** For messages and the audit log. */
  readonly what: string;
  readonly allow: readonly Permission[] | "any" | "never";
  /** Namespaces that it acts in. */
  readonly in?: readonly string[];
  /** A namespace that it branches from. */
  readonly from?: string;
  /** A namespace that it promotes to. */
  readonly to?: string;
  /** Namespaces, or beginnings and `*`, that it gives a right to. */
  readonly peers?: readonly string[];
};

export const grantOf = (record: TokenRecord): Grant => ({
  caller: `token:${record.name}`,
  record,
  covers: (namespace) => coversNamespace(record.namespaces, namespace),
});

/** The namespaces that a demand names, for records. */
export const namedBy = ({ in: acts = [], from, to, peers = [] }: Demand): readonly string[] => [
  ...new Set([...acts, ...[from, to].filter((one) => one !== undefined), ...peers]),
];

/** @throws PloyzError `not_permitted`. */
export function need({ record, covers }: Grant, demand: Demand): void {
  const { what, allow, in: acts = [], from, to, peers = [] } = demand;
  if (allow === "never") throw notPermitted(record, `use ${what}`, "no token may; run it as an operator");
  if (allow !== "any" && !allow.some((one) => record.allow.includes(one)))
    throw notPermitted(record, `use ${what}`, `it needs the permission ${allow.join(" or ")}`);
  const outside = (name: string, extra: readonly string[] = []) =>
    !isLabel(name) || !(covers(name) || coversNamespace(extra, name));
  const wrong =
    acts.find((name) => outside(name)) ??
    [from].find((name) => name !== undefined && outside(name, record.branchFrom)) ??
    [to].find((name) => name !== undefined && outside(name, record.promoteTo)) ??
    peers.find((peer) => !covers(peer));
  if (wrong === undefined) return;
  throw notPermitted(
    record,
    `use ${what} with the namespace ${shown(wrong)}`,
    wrong === from
      ? "create it with --branch-from to let it branch from there"
      : wrong === to
        ? "create it with --promote-to to let it promote there"
        : `its namespaces are ${record.namespaces.join(", ")}`,
  );
}

export const notPermitted = ({ name }: Pick<TokenRecord, "name">, what: string, hint: string) =>
  new PloyzError({ code: "not_permitted", message: `token ${name} may not ${what}`, hint });
