import type { DevDocument, DevMachines, DevPower } from "../../commands/dev/documents.ts";
import { lines, type Page, remark } from "../page.ts";

export const devPowerPage = ({ machines }: Pick<DevPower, "machines">): Page => [
  lines(
    ...machines.map(({ machine, container, running }) => ({
      text: `${machine}  ${container}  ${running ? "running" : "stopped"}`,
      tone: running ? ("ok" as const) : ("warn" as const),
    })),
  ),
];

export const devMachinesPage = ({ context, gateway, machines }: DevMachines): Page => [
  ...devPowerPage({ machines }),
  lines(`gateway  ${gateway}`, `context  ${context}`),
  remark(
    `deploy:   ployzctl --context ${context} deploy -f ployz.toml`,
    `inspect:  ployzctl --context ${context} status`,
    "remove:   ployzctl dev down",
  ),
];

/** Addresses, and the next commands. */
export function devPage({ cluster, machine, gateway, dns, routes }: DevDocument): Page {
  const [first] = routes;
  const route = /^http:\/\/([^/:]+)(?::\d+)?(\/.*)$/.exec(first ?? "");
  return [
    lines(
      { text: `cluster ${cluster} on this machine (${machine})`, tone: "ok" },
      `gateway  ${gateway}`,
      `dns      ${dns}`,
      ...routes.map((url) => `route    ${url}`),
    ),
    remark(
      ...(first === undefined
        ? ["deploy:   ployzctl deploy -f ployz.toml"]
        : route === null
          ? []
          : [`request:  curl -H 'Host: ${route[1]}' ${gateway}${route[2]}`]),
      "inspect:  ployzctl status",
      "remove:   ployzctl dev down",
    ),
  ];
}
