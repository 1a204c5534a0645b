import type { RegistryChanged, RegistryList } from "../../api.ts";
import { ago, lines, type Page, table } from "../page.ts";

export function registriesPage({ registries }: RegistryList, now: number): Page {
  return [
    table(
      "registry",
      ["REGISTRY", "USER", "STATE", "SET", "BY"],
      registries.map(({ host, user, state, at, by }) => [
        host,
        user,
        { text: state, tone: state === "set" ? "ok" : "bad" },
        ago(at, now),
        by,
      ]),
      {
        empty: "no credentials; add some: ployzctl registry login HOST -u USER --password-stdin",
        drop: ["BY", "SET"],
      },
    ),
  ];
}

export function registryPage({ kind, host, user, changed, verified }: RegistryChanged): Page {
  if (kind === "registry-removed")
    return [lines(changed ? `removed the credentials for ${host}` : `there were no credentials for ${host}`)];
  return [
    lines(
      { text: `${changed ? "logged in to" : "already logged in to"} ${host} as ${user ?? ""}`, tone: "ok" },
      ...(verified === false
        ? [
            {
              text: `${host} did not answer: the credentials are kept, and not verified`,
              tone: "warn" as const,
            },
          ]
        : []),
    ),
  ];
}
