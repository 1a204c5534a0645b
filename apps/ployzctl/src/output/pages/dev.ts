import type { DevDocument } from "../../documents.ts";
import { lines, type Page, remark } from "../page.ts";

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
