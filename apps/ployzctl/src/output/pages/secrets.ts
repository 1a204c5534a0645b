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
      "no secrets; set one: ployzctl secret set NAMESPACE/SECRET < FILE",
    ),
    ...secrets
      .filter(({ state }) => state === "lost")
      .map(({ namespace, name }) =>
        lines({
          text: `the store does not have the value of ${namespace}/${name} any more: ployzctl secret set ${namespace}/${name}`,
          tone: "bad",
        }),
      ),
  ];
}

export function secretPage({ kind, namespace, name, changed, users, outdated }: SecretChanged): Page {
  const secret = `${namespace}/${name}`;
  if (kind === "secret-removed")
    return [lines(changed ? `${secret} is removed` : `there is no secret ${secret}`)];
  return [
    lines(
      { text: changed ? `${secret} is set` : `${secret} was that already`, tone: "ok" },
      ...(users.length === 0 ? [] : [`used by ${users.join(", ")}`]),
      ...(outdated.length === 0
        ? []
        : [`still the old value in ${outdated.join(", ")}: it changes with the next deploy`]),
    ),
  ];
}
