import { type Static, Type } from "typebox";

const Address = Type.String({ pattern: "^(\\d{1,3}\\.){3}\\d{1,3}:\\d{1,5}$" });

/** The daemon's configuration file. An empty file is valid; an unknown field is an error. */
export const ConfigSchema = Type.Object(
  {
    data_dir: Type.Optional(Type.String({ pattern: "^/" })),
    socket: Type.Optional(Type.String({ pattern: "^/" })),
    region: Type.Optional(Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,62}$" })),
    az: Type.Optional(Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,62}$" })),
    cluster_cidr: Type.Optional(Type.String({ pattern: "^(\\d{1,3}\\.){3}\\d{1,3}/\\d{1,2}$" })),
    subnet_prefix_len: Type.Optional(Type.Integer({ minimum: 17, maximum: 28 })),
    wireguard_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    transfer_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    store_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    gateway_listen: Type.Optional(Address),
    dns_forward: Type.Optional(Type.Array(Address)),
    runtime: Type.Optional(Type.Union([Type.Literal("docker"), Type.Literal("process")])),
    docker_socket: Type.Optional(Type.String({ pattern: "^/" })),
    storage: Type.Optional(
      Type.Object(
        { zfs_root: Type.Optional(Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_.:/-]*$" })) },
        { additionalProperties: false },
      ),
    ),
    store: Type.Optional(
      Type.Object({ server: Type.Optional(Type.String({ pattern: "^/" })) }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
);

export type ConfigFile = Static<typeof ConfigSchema>;
