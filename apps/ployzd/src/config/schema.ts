import {
  CAPABILITIES,
  CIDR,
  DATASET,
  DEVICE,
  HOST_PATHS,
  HOST_PORTS,
  IP_PREFIX,
  LISTEN,
  PLACE,
  REGISTRY,
  RIGHTS,
  SERVER,
} from "@ployz/primitives/protocol";
import { type Static, Type } from "typebox";
import { FORWARD } from "./forward.ts";
import { HIGHEST_STORE_PORT } from "./store-ports.ts";

/** Excludes spaces and control characters, which would reach configuration files of other programs. */
export const PATH = "^/[A-Za-z0-9._/@+-]*$";

const Listen = Type.String({ pattern: LISTEN });
const Address = Type.String({ pattern: SERVER });
const Cidr = Type.String({ pattern: CIDR });
const Network = Type.String({ pattern: IP_PREFIX });
const Path = Type.String({ pattern: PATH, maxLength: 1024 });
const Place = Type.String({ pattern: PLACE });

/** The daemon's configuration file. An empty file is valid; an unknown field is an error. */
export const ConfigSchema = Type.Object(
  {
    data_dir: Type.Optional(Path),
    /** The kernel's limit is 107 bytes (unix(7)). */
    socket: Type.Optional(Type.String({ pattern: PATH, maxLength: 100 })),
    region: Type.Optional(Place),
    az: Type.Optional(Place),
    cluster_cidr: Type.Optional(Cidr),
    subnet_prefix_len: Type.Optional(Type.Integer({ minimum: 17, maximum: 28 })),
    wireguard_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    /** IPv6's minimum (RFC 8200), and 9000 minus the tunnel's overhead. */
    wireguard_mtu: Type.Optional(Type.Integer({ minimum: 1280, maximum: 8920 })),
    transfer_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    store_port: Type.Optional(Type.Integer({ minimum: 1, maximum: HIGHEST_STORE_PORT })),
    join_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    /** All with the same port. In a file also one alone. */
    gateway_listen: Type.Optional(Type.Array(Listen, { minItems: 1, maxItems: 8, uniqueItems: true })),
    trusted_proxies: Type.Optional(Type.Array(Network)),
    /** Where TLS is served. Empty, in a file also `off`: nowhere. */
    gateway_https_listen: Type.Optional(Type.Array(Listen, { maxItems: 8, uniqueItems: true })),
    /** The trusted proxies speak the PROXY protocol. */
    proxy_protocol: Type.Optional(Type.Boolean()),
    dns_forward: Type.Optional(Type.Array(Address)),
    runtime: Type.Optional(Type.Union([Type.Literal("docker"), Type.Literal("process")])),
    docker_socket: Type.Optional(Path),
    storage: Type.Optional(
      Type.Object(
        {
          zfs_root: Type.Optional(Type.String({ pattern: DATASET })),
          overcommit_ratio: Type.Optional(Type.Number({ minimum: 0.1, maximum: 100 })),
        },
        { additionalProperties: false },
      ),
    ),
    retention: Type.Optional(
      Type.Object(
        {
          last: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
          days: Type.Optional(Type.Number({ minimum: 0, maximum: 36_500 })),
        },
        { additionalProperties: false },
      ),
    ),
    metrics: Type.Optional(
      Type.Object(
        {
          listen: Type.Optional(Type.Union([Address, Type.Literal("off")])),
          gateway: Type.Optional(Address),
        },
        { additionalProperties: false },
      ),
    ),
    logs: Type.Optional(
      Type.Object(
        {
          keep_days: Type.Optional(Type.Number({ minimum: 0, maximum: 36_500 })),
          keep_mib: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_048_576 })),
          /** Where lines are sent; checked beyond its shape by `forwardTarget`. */
          forward: Type.Optional(Type.String({ pattern: FORWARD, maxLength: 2_000 })),
          forward_ca: Type.Optional(Path),
        },
        { additionalProperties: false },
      ),
    ),
    /** Of the gateway. `all`: every request, not only of routes with `log`. */
    access_log: Type.Optional(
      Type.Object(
        {
          all: Type.Optional(Type.Boolean()),
          keep_mib: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_048_576 })),
          port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
        },
        { additionalProperties: false },
      ),
    ),
    policy: Type.Optional(
      Type.Object(
        {
          isolation: Type.Optional(Type.Enum(["on", "off"])),
          refuse: Type.Optional(Type.Array(Type.Enum([...RIGHTS]), { uniqueItems: true })),
          host_paths: Type.Optional(
            Type.Array(Type.String({ pattern: HOST_PATHS }), { maxItems: 100, uniqueItems: true }),
          ),
          devices: Type.Optional(
            Type.Array(Type.String({ pattern: DEVICE }), { maxItems: 100, uniqueItems: true }),
          ),
          host_ports: Type.Optional(
            Type.Array(Type.String({ pattern: HOST_PORTS }), { maxItems: 100, uniqueItems: true }),
          ),
          capabilities: Type.Optional(Type.Array(Type.Enum(CAPABILITIES), { uniqueItems: true })),
        },
        { additionalProperties: false },
      ),
    ),
    /** By host. */
    registries: Type.Optional(
      Type.Record(
        Type.String({ pattern: REGISTRY }),
        Type.Object(
          {
            /** HTTPS with any certificate, or plain HTTP where it has no HTTPS. */
            insecure: Type.Optional(Type.Boolean()),
            /** Tried before it, in this order. */
            mirrors: Type.Optional(
              Type.Array(Type.String({ pattern: REGISTRY }), { maxItems: 8, uniqueItems: true }),
            ),
          },
          { additionalProperties: false },
        ),
        { additionalProperties: false },
      ),
    ),
    store: Type.Optional(Type.Object({ server: Type.Optional(Path) }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);

export type ConfigFile = Static<typeof ConfigSchema>;
