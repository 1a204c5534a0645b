import type { DevDocument } from "../../documents.ts";
import { lines, type Page, remark } from "../page.ts";

/** Where everything is, and what to type next. */
export function devPage({ cluster, machine, gateway, dns, routes }: DevDocument): Page {
  const [first] = routes;
  const route = /^http:\/\/([^/:]+)(?::\d+)?(\/.*)$/.exec(first ?? "");
  return [
    lines(
      { text: `cluster ${cluster}, of this machine alone (${machine})`, tone: "ok" },
      `gateway  ${gateway}`,
      `dns      ${dns}`,
      ...routes.map((url) => `route    ${url}`),
    ),
    remark(
      ...(first === undefined
        ? ["deploy something:  ployzctl deploy -f ployz.toml"]
        : route === null
          ? []
          : [`ask it:            curl -H 'Host: ${route[1]}' ${gateway}${route[2]}`]),
      "look around:       ployzctl status",
      "remove it all:     ployzctl dev down",
    ),
  ];
}
