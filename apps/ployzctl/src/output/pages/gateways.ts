import type { GatewayList } from "../../api.ts";
import { type Cell, type Page, remark, table } from "../page.ts";

type Row = GatewayList["gateways"][number];
const TONES = { up: "ok", down: "bad", drained: "warn" } as const;

export const gatewaysPage = ({ gateways }: GatewayList): Page =>
  gateways.flatMap((row, index) => [...(index === 0 ? [] : [remark("")]), ...gatewayPage(row)]);

function gatewayPage({ machine, gateway, error }: Row): Page {
  if (gateway === undefined)
    return [remark({ text: `${machine}: ${error?.message ?? "unknown"}`, tone: "bad" })];
  const { state, commits, routes, servers, holds, certificates, dropped, oldWorkers, difference, accessLog } =
    gateway;
  const notes = [
    ...dropped.map((one) => `not served: ${one}`),
    ...holds.map(({ backend, waiting }) => `${waiting} requests wait for an instance of ${backend}`),
    ...(accessLog?.error === undefined ? [] : [`no access log: ${accessLog.error}`]),
    ...(accessLog?.lost ? [`${accessLog.lost} lines of the access log were lost`] : []),
    ...(difference === undefined ? [] : [`HAProxy differs from the state on disk: ${difference}`]),
  ];
  return [
    remark({
      text: `${machine}: HAProxy ${state}, serves ${commits.join(" ") || "no commit"}${oldWorkers > 0 ? `; ${oldWorkers} old workers finish their connections` : ""}`,
      tone: state === "stopped" ? "bad" : "ok",
    }),
    ...notes.map((text) => remark({ text, tone: "warn" as const })),
    table(
      "route",
      ["ROUTE", "TARGET", "PLAIN HTTP", "OPTIONS"],
      routes.map(({ place, to, kind, httpsOnly, options }): Cell[] => [
        place,
        kind === "redirect" ? `redirect to ${to}` : to,
        ["tcp", "udp", "host"].includes(kind) ? "-" : httpsOnly ? "redirected" : "served",
        options.join(" ") || "-",
      ]),
      { empty: "no routes" },
    ),
    table(
      "server",
      ["BACKEND", "INSTANCE", "ADDRESS", "SESSIONS", "STATE"],
      servers.map(({ backend, instance, address, port, sessions, state: is }): Cell[] => [
        ...[backend, instance, `${address}:${port}`, String(sessions ?? "-")],
        { text: is, tone: TONES[is] },
      ]),
      { empty: "no instances" },
    ),
    ...(certificates.length === 0
      ? []
      : [
          table(
            "certificate",
            ["CERTIFICATE", "VALID UNTIL"],
            certificates.map(({ names, notAfter }) => [names.join(" "), notAfter]),
            { empty: "no certificates" },
          ),
        ]),
  ];
}
