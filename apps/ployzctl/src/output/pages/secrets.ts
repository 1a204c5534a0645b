import type { SecretChanged, SecretList } from "../../api.ts";
import { ago, lines, type Page, table } from "../page.ts";

export function secretsPage({ secrets }: SecretList, now: number): Page {
  const list = (names: readonly string[]) => (names.length === 0 ? "-" : names.join(" "));
  return [
    table(
      "secret",
      ["SECRET", "STATE", "SET", "BY", "BRANCHES", "USED BY", "OLD VALUE IN"],
      secrets.map(({ namespace, name, state, at, by, private: kept, users, outdated }) => [
        `${namespace}/${name}`,
        { text: state, tone: state === "set" ? "ok" : "bad" },
        ago(at, now),
        by,
        kept ? "no" : "yes",
        list(users),
        { text: list(outdated), tone: outdated.length === 0 ? "dim" : "warn" },
      ]),
      {
        empty: "no secrets; set one: ployzctl secret set NAMESPACE/SECRET < FILE",
        drop: ["BRANCHES", "BY", "SET"],
      },
    ),
    ...secrets
      .filter(({ state }) => state === "lost")
      .map(({ namespace, name }) =>
        lines({
          text: `the store has lost the value of ${namespace}/${name}; set it again: ployzctl secret set ${namespace}/${name}`,
          tone: "bad",
        }),
      ),
  ];
}

export function secretPage({ kind, namespace, name, changed, users, outdated }: SecretChanged): Page {
  const secret = `${namespace}/${name}`;
  if (kind === "secret-removed")
    return [lines(changed ? `removed ${secret}` : `secret ${secret} does not exist`)];
  return [
    lines(
      { text: changed ? `set ${secret}` : `${secret} already had that value`, tone: "ok" },
      ...(users.length === 0 ? [] : [`used by ${users.join(", ")}`]),
      ...(outdated.length === 0
        ? []
        : [`${outdated.join(", ")} still has the old value; deploy to replace it`]),
    ),
  ];
}
