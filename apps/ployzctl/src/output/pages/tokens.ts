import type { TokenDocument, TokenList } from "../../api.ts";
import { ago, duration, lines, type Page, table } from "../page.ts";

const until = (at: string, now: number): string =>
  Date.parse(at) > now ? `in ${duration(Date.parse(at) - now)}` : ago(at, now);

export function tokensPage({ tokens }: TokenList, now: number): Page {
  return [
    table(
      "token",
      ["TOKEN", "STATE", "EXPIRES", "NAMESPACES", "ALLOWS", "BY"],
      tokens.map(({ name, state, expiresAt, namespaces, allow, by }) => [
        name,
        { text: state, tone: state === "valid" ? "ok" : "dim" },
        until(expiresAt, now),
        namespaces.join(","),
        allow.join(","),
        by,
      ]),
      { empty: "no tokens; create one: ployzctl token create", drop: ["BY", "ALLOWS"] },
    ),
  ];
}

export const tokenPage = (token: TokenDocument, now: number): Page => [
  lines(
    `token: ${token.name} (${token.id})`,
    `state: ${token.state}, ${token.state === "valid" ? "expires" : "expired"} ${until(token.expiresAt, now)}`,
    `namespaces: ${token.namespaces.join(", ")}`,
    ...(token.branchFrom.length > 0 ? [`branches from: ${token.branchFrom.join(", ")}`] : []),
    ...(token.promoteTo.length > 0 ? [`promotes to: ${token.promoteTo.join(", ")}`] : []),
    `allows: ${token.allow.join(", ")}`,
    `created by: ${token.by}, ${ago(token.createdAt, now)}`,
  ),
];
