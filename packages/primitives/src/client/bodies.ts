import Type, { type TProperties, type TSchema } from "typebox";
import { Input as BranchInput } from "../branch/input.ts";
import { AlertFormat } from "../model/alert.ts";
import { by, endpoints, label, place, runtime } from "../model/fields.ts";
import type { Json } from "../model/json.ts";
import type { ClusterRecord, MachineRecord } from "../model/machine.ts";
import * as patterns from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";
import { PERMISSIONS, TOKEN_MS } from "../model/token.ts";

const closed = <P extends TProperties>(fields: P) => Type.Object(fields, { additionalProperties: false });
/** Errors name the field, never its value. */
const hidden = (
  options: { readonly minLength?: number; readonly maxLength?: number; readonly pattern?: string } = {},
) => Type.String({ ...options, writeOnly: true });
const flag = Type.Optional(Type.Boolean());
const id = (pattern: string, description: string) => Type.String({ pattern, description });
const cidr = id(patterns.CIDR, "an IPv4 network");
const at = { region: Type.Optional(place("a region")), az: Type.Optional(place("a zone")) };
const passphrase = Type.Optional(hidden({ minLength: 1, maxLength: 1000 }));
const namespaces = (description: string, minItems: number) =>
  Type.Array(Type.String({ pattern: patterns.NAMESPACES, description: "a namespace, or pr-*" }), {
    ...{ minItems, maxItems: 100, uniqueItems: true, description },
  });
const machines = Type.Array(label("a machine"), { minItems: 1, maxItems: 100 });

/** A member's record as another machine sends it. It ends up in configuration files and command arguments. */
const member = Type.Unsafe<MachineRecord>(
  Type.Object({
    id: label("a machine"),
    index: Type.Integer({ minimum: 0, maximum: 2 ** 21 }),
    state: Type.Enum(["joining", "active", "draining", "standby", "removed"]),
    publicKey: id(patterns.WIREGUARD_KEY, "a WireGuard public key"),
    endpoints: endpoints(0),
    nkey: id(patterns.NKEY, "a public nkey of a user"),
    address: id(patterns.IPV4, "an overlay address"),
    subnet: cidr,
    store: Type.Boolean(),
    runtime,
    ...at,
    version: Type.String({ maxLength: 100 }),
    operation: id(patterns.ADDED_BY, "an operation"),
  }),
);

const cluster = Type.Unsafe<ClusterRecord>(
  Type.Object({
    name: label("the cluster's name"),
    id: id(patterns.CLUSTER_ID, "the cluster's id"),
    clusterCidr: cidr,
    subnetPrefixLength: Type.Integer({ minimum: 9, maximum: 29 }),
    generation: Type.Integer({ minimum: 1 }),
  }),
);

/** Made by `machine add`, perhaps of another version: fields that this one does not know are passed over. */
export const JoinDocument = Type.Object({
  v: Type.Literal(1, { description: "the versions of both machines must fit" }),
  cluster,
  machine: member,
  machines: Type.Array(member, { maxItems: 1000 }),
  storeServers: Type.Array(id(patterns.SERVER, "a store server"), { minItems: 1, maxItems: 9 }),
  releaseKey: Type.Optional(id(patterns.RELEASE_KEY, "an Ed25519 public key, as base64 of its DER form")),
});

/** An operation as it arrives; its primitive checks the input. */
export const OperationBody = Type.Object({
  primitive: Type.String(),
  input: Type.Optional(Type.Unsafe<Json>({})),
  mode: Type.Enum(["preview", "prepare", "apply"]),
  prepared: Type.Optional(
    Type.String({ description: "the id of a prepared plan; only with the mode apply" }),
  ),
  credentials: Type.Optional(
    Type.Object({
      identity: Type.Optional(hidden()),
      agentSocket: Type.Optional(hidden()),
      acceptHostKeys: Type.Optional(
        Type.Union([Type.Literal("new"), Type.Array(Type.String())], {
          description: '"new", or a list of fingerprints',
        }),
      ),
    }),
  ),
  by,
});

/** The body of each route that has one. The daemon checks it before the route's handler runs. */
export const BODIES = {
  "POST /v1/mesh/init": closed({
    name: label("the cluster's name"),
    id: Type.Optional(
      Type.String({
        pattern: "^[a-z][a-z0-9-]{0,62}-[0-9a-f]{8}$",
        description: "the id of a lost cluster of the name, such as acme-7bd6c7c8",
      }),
    ),
    machine: Type.Optional(label("this machine's name")),
    // Whether it is a network that machines can have is checked by the daemon, with the flag in its hint.
    clusterCidr: Type.Optional(Type.String({ maxLength: 64 })),
    subnetPrefixLength: Type.Optional(Type.Integer({ description: "such as 24" })),
    runtime: Type.Optional(runtime),
    endpoints: Type.Optional(endpoints(0)),
  }),
  "POST /v1/mesh/join": JoinDocument,
  "POST /v1/mesh/join-by-token": closed({ token: hidden() }),
  "POST /v1/mesh/endpoints": closed({ endpoints: Type.Optional(endpoints(1)) }),
  "POST /v1/mesh/leave": closed({ operation: Type.Optional(Type.String()), destroy: flag }),
  "POST /v1/invites": closed({
    ttlMs: Type.Integer({ minimum: 1_000, maximum: 86_400_000, description: "1s to 24h, in milliseconds" }),
    by,
    name: Type.Optional(label("the name of the machine that joins")),
    ...at,
  }),
  "POST /v1/tokens": closed({
    name: label("the name of the token"),
    namespaces: namespaces("where it may act", 1),
    branchFrom: Type.Optional(namespaces("other namespaces that it may only branch from", 0)),
    promoteTo: Type.Optional(namespaces("other namespaces that it may only promote to", 0)),
    allow: Type.Array(Type.Enum([...PERMISSIONS]), {
      ...{ minItems: 1, maxItems: PERMISSIONS.length, uniqueItems: true },
      description: `a list of ${PERMISSIONS.join(", ")}`,
    }),
    ttlMs: Type.Integer({ minimum: 1_000, maximum: TOKEN_MS, description: "1s to 366d, in milliseconds" }),
    by,
  }),
  "POST /v1/branch/manifest": BranchInput,
  "POST /v1/schedules/:ns/:name": closed({ paused: Type.Boolean(), by }),
  "PUT /v1/secrets/:ns/:name": closed({
    value: hidden({ minLength: 1, pattern: patterns.NO_NUL }),
    private: flag,
    by,
  }),
  "PUT /v1/alerts/:name": closed({
    to: hidden({ minLength: 8, maxLength: 2_000, pattern: "^(https?|smtps?)://[\\x21-\\x7e]+$" }),
    format: AlertFormat,
    key: Type.Optional(hidden({ minLength: 16, maxLength: 1_000 })),
    by,
  }),
  "PUT /v1/registries": closed({
    host: id(patterns.REGISTRY, "a registry's host, such as ghcr.io or registry.example.com:5000"),
    username: Type.String({
      minLength: 1,
      maxLength: 256,
      pattern: "^[^:\\p{Cc}]+$",
      description: "without a colon",
    }),
    password: hidden({ minLength: 1, maxLength: 16_384 }),
    by,
  }),
  "POST /v1/certificates": closed({
    name: id(patterns.HOST, "the host name that it is called by"),
    chain: Type.String({ minLength: 1, maxLength: 100_000, description: "certificates as PEM" }),
    key: hidden({ minLength: 1, maxLength: 20_000 }),
    by,
  }),
  "PUT /v1/certificate-account": closed({
    directory: Type.Optional(
      Type.String({
        pattern: "^(letsencrypt|letsencrypt-staging|https://[\\x21-\\x7e]{1,500})$",
        description: "letsencrypt, letsencrypt-staging, or the URL of a directory, with https",
      }),
    ),
    email: Type.Optional(
      Type.String({
        pattern: "^[^@\\s,?]{1,64}@[^@\\s,?]{1,190}$",
        description: "an address such as ops@example.com",
      }),
    ),
    root: Type.Optional(Type.String({ maxLength: 100_000, description: "certificates as PEM" })),
    eabKid: Type.Optional(Type.String({ maxLength: 500 })),
    eabKey: Type.Optional(hidden({ maxLength: 1_000 })),
    by,
  }),
  "POST /v1/operations": OperationBody,
  "POST /v1/store/move": closed({
    action: Type.Enum(["promote", "demote"]),
    machines,
    replicas: Type.Optional(Type.Unsafe<number>({ enum: [1, 3, 5] })),
    preview: flag,
  }),
  "POST /v1/store/restore": closed({
    id: Type.Optional(Type.String({ description: "of the upload" })),
    repository: Type.Optional(
      Type.String({ pattern: patterns.NAME, maxLength: 63, description: "instead: read it from there" }),
    ),
    backup: Type.Optional(
      Type.String({ pattern: "^[0-9a-f]{8,64}$", description: "which one; default: the newest" }),
    ),
    passphrase,
    overwrite: flag,
    preview: flag,
  }),
  "POST /v1/network/isolation": closed({ isolation: Type.Enum(["on", "off"]) }),
  "POST /v1/store/repair": closed({
    record: Type.String({
      pattern: patterns.FACT_RECORD,
      description: "a fact as status names it: fact.KEY",
    }),
    replaceNewer: flag,
  }),
  "POST /v1/store/recover": closed({ machines: Type.Optional(machines), preview: flag }),
  "POST /v1/store/snapshot": closed({ passphrase }),
} as const satisfies Readonly<Record<string, TSchema>>;

export type Body<R extends keyof typeof BODIES> = Shape<(typeof BODIES)[R]>;
