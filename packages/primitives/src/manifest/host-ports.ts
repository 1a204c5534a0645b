import Type from "typebox";
import type { Refusal } from "../error-codes.ts";
import type { HostPort } from "../model/commit.ts";
import { invalid, type Segment } from "../model/field.ts";
import { hostPortText, samePort } from "../model/host-ports.ts";
import { keptFor } from "../model/kept-ports.ts";
import * as patterns from "../model/patterns.ts";
import { closed } from "./schedule-schema.ts";
import { name, port } from "./schema-fields.ts";

/** `host_ports` of a service. */
export const hostPorts = Type.Array(
  Type.Object(
    {
      port: port("Port of the machine that the instance is on."),
      to: Type.Optional(name("One of the service's ports. May be left out when there is only one.")),
      protocol: Type.Optional(Type.Enum(["tcp", "udp"], { description: "Default `tcp`." })),
      address: Type.Optional(
        Type.String({
          pattern: patterns.IPV4,
          description: "Only packets to this address of the machine. Default: to every one.",
        }),
      ),
    },
    closed,
  ),
  {
    maxItems: 100,
    description:
      "Ports of the machine that lead to the instance on it, where `policy.host_ports` of the machine allows it. Two instances with one port are never on one machine.",
  },
);

type Given = {
  readonly host_ports?: readonly {
    readonly port: number;
    readonly to?: string;
    readonly protocol?: "tcp" | "udp";
    readonly address?: string;
  }[];
};

/** Sorted; expects a checked manifest. */
export const normalHostPorts = (
  { host_ports: given = [] }: Given,
  ports: Readonly<Record<string, number>>,
): readonly HostPort[] =>
  given
    .map(({ port, to, protocol = "tcp", address }) => ({
      ...{ protocol, port, to: to ?? Object.keys(ports)[0] ?? "" },
      ...(address !== undefined && address !== "0.0.0.0" && { address }),
    }))
    .sort((a, b) => {
      const [left, right] = [a, b].map((one) => `${one.protocol} ${one.address ?? ""}`) as [string, string];
      return a.port - b.port || (left < right ? -1 : left > right ? 1 : 0);
    });

export const renderHostPorts = (hostPorts: readonly HostPort[] | undefined) =>
  hostPorts === undefined
    ? {}
    : {
        host_ports: hostPorts.map(({ port, to, protocol, address }) => ({
          ...{ port, to },
          ...(protocol !== "tcp" && { protocol }),
          ...(address !== undefined && { address }),
        })),
      };

/** `checkTo`: whether the service has the port. */
export function checkHostPorts(
  at: readonly Segment[],
  service: Given,
  checkTo: (at: readonly Segment[], port: string | undefined) => readonly Refusal[],
): readonly Refusal[] {
  const given = normalHostPorts({ host_ports: service.host_ports ?? [] }, {});
  return (service.host_ports ?? []).flatMap((one, index): readonly Refusal[] => {
    const here = [...at, index];
    const protocol = one.protocol ?? "tcp";
    const use = keptFor(protocol, one.port);
    const [own] = normalHostPorts({ host_ports: [one] }, {});
    const twice = own !== undefined && given.filter((other) => samePort(other, own)).length > 1;
    return [
      ...checkTo(here, one.to),
      ...(use === undefined
        ? []
        : [invalid([...here, "port"], `port ${one.port} is kept for ${use}`, "choose another port")]),
      ...(own !== undefined && twice
        ? [invalid([...here, "port"], `${hostPortText(own)} is given twice`, "keep one of them")]
        : []),
      ...(one.address?.startsWith("127.")
        ? [
            invalid(
              [...here, "address"],
              "packets of loopback cannot be led to an instance",
              "leave the port out, and use ployzctl port-forward",
            ),
          ]
        : []),
    ];
  });
}
