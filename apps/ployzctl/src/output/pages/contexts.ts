import type { ContextDocument, ContextList, ContextRemoved } from "../../remote/documents.ts";
import { lines, type Page, table } from "../page.ts";

export function contextsPage({ contexts }: ContextList): Page {
  return [
    table(
      "context",
      ["CONTEXT", "HOSTS", "IN USE"],
      contexts.map(({ name, hosts, current }) => [name, hosts.join(" "), current ? "yes" : "no"]),
      { empty: "no contexts; add one: ployzctl context add NAME ssh://user@machine" },
    ),
  ];
}

export const contextPage = ({ name, hosts, current }: ContextDocument): Page => [
  lines(
    `context  ${name}`,
    `hosts    ${hosts.join(" ") || "this machine"}`,
    `in use   ${current ? "yes" : "no"}`,
  ),
];

export const contextRemovedPage = ({ name, current }: ContextRemoved): Page => [
  lines(
    `removed context ${name}`,
    ...(current ? ["it was in use; commands use this machine's daemon now"] : []),
  ),
];
