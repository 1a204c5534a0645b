import Type from "typebox";
import { CAPABILITIES, ULIMITS } from "../model/limits.ts";
import * as patterns from "../model/patterns.ts";
import { closed } from "./schedule-schema.ts";

/** The text, or a table that says where the content comes from. */
type FileValue =
  | string
  | {
      readonly text?: string;
      readonly base64?: string;
      readonly path?: string;
      readonly secret?: string;
      readonly mode?: string;
      readonly owner?: string;
    };

const table = <T>(keys: string, value: object, description: string, max = 100) =>
  Type.Unsafe<Readonly<Record<string, T>>>({
    type: "object",
    additionalProperties: value,
    propertyNames: { pattern: keys },
    maxProperties: max,
    description,
  });
const size = (description: string) => ({ type: "string", pattern: patterns.SIZE, description });

/** One schema with two types rather than a union of two: its errors are about the intended one. */
const file = {
  type: ["string", "object"],
  pattern: patterns.NO_NUL,
  properties: {
    text: Type.String({ pattern: patterns.NO_NUL, description: "The content." }),
    base64: Type.String({ pattern: patterns.BASE64, description: "Content that is no text." }),
    path: Type.String({
      pattern: patterns.BUNDLE_PATH,
      description: "A file, relative to the manifest, which `ployzctl deploy` reads.",
    }),
    secret: Type.String({ pattern: patterns.NAME, description: "A secret of this namespace." }),
    mode: Type.String({
      pattern: patterns.MODE,
      description: "Permission bits. Default `0444`.",
    }),
    owner: Type.String({
      pattern: patterns.OWNER,
      description: "Numeric ids, `1000` or `1000:1000`. Default root.",
    }),
  },
  ...closed,
};
/** The machine's path, or a table with it. */
type BindValue = string | { readonly source: string; readonly read_only?: boolean };
const bind = {
  type: ["string", "object"],
  pattern: patterns.HOST_PATH,
  properties: {
    source: Type.String({ pattern: patterns.HOST_PATH, description: "The machine's path." }),
    read_only: Type.Boolean({ description: "The instance cannot write there. Default false." }),
  },
  required: ["source"],
  ...closed,
};
const amount = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/** Files of a workload, and what its programs have of the kernel. */
export const container = {
  files: Type.Optional(
    table<FileValue>(
      patterns.MOUNT_PATH,
      file,
      "Files by their path in the instance, read-only: the text, or a table with one of `text`, `base64`, `path` and `secret`. A change starts new instances.",
    ),
  ),
  tmpfs: Type.Optional(
    table<string>(
      patterns.MOUNT_PATH,
      size("Its size, for example `64M`."),
      "Folders in memory, by path; gone with the instance.",
    ),
  ),
  read_only: Type.Optional(
    Type.Boolean({
      description:
        "The image's files cannot be written; volumes and `tmpfs` can. A bundle's never can. Default false.",
    }),
  ),
  shm_size: Type.Optional(
    Type.String({ pattern: patterns.SIZE, description: "Size of /dev/shm. Default 64M." }),
  ),
  ulimits: Type.Optional(
    Type.Unsafe<Readonly<Record<string, number | { readonly soft: number; readonly hard: number }>>>({
      type: "object",
      additionalProperties: {
        type: ["integer", "object"],
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        properties: { soft: amount, hard: amount },
        required: ["soft", "hard"],
        ...closed,
      },
      propertyNames: { enum: [...ULIMITS] },
      description: "Limits of a process by name (`nofile`, `memlock`, …): a number, or `{ soft, hard }`.",
    }),
  ),
  cap_drop: Type.Optional(
    Type.Array(Type.Enum(["ALL", ...CAPABILITIES]), {
      maxItems: 50,
      uniqueItems: true,
      description:
        "Capabilities that root shall not have in the instance, such as `NET_BIND_SERVICE`; or `ALL`.",
    }),
  ),
  cap_add: Type.Optional(
    Type.Array(Type.Enum(CAPABILITIES), {
      maxItems: 50,
      uniqueItems: true,
      description:
        "Further capabilities of root in the instance. `NET_RAW`, `MKNOD` and `AUDIT_WRITE` are free, others need `policy.capabilities` of the machine.",
    }),
  ),
  group_add: Type.Optional(
    Type.Array(Type.String({ pattern: patterns.GROUP }), {
      maxItems: 50,
      uniqueItems: true,
      description:
        'Further groups of the instance\'s programs, such as `["video", "1001"]`: numbers, or names of the image; of the machine where there is none.',
    }),
  ),
  binds: Type.Optional(
    table<BindValue>(
      patterns.MOUNT_PATH,
      bind,
      "Files and folders of the machine by their path in the instance, where `policy.host_paths` of the machine allows it: the machine's path, or a table with `source` and `read_only`.",
    ),
  ),
  devices: Type.Optional(
    table<string>(
      patterns.DEVICE,
      { type: "string", pattern: patterns.DEVICE, description: "The machine's." },
      "Devices of the machine, or folders of them, by their path in the instance, where `policy.devices` of the machine allows it.",
    ),
  ),
  init: Type.Optional(
    Type.Boolean({
      description:
        "The first process is one that passes signals on and reaps the processes that others leave. Default false; the process runtime always has one.",
    }),
  ),
  sysctls: Type.Optional(
    table<string>(
      patterns.SYSCTL,
      { type: "string", pattern: patterns.SYSCTL_VALUE },
      "Settings of the instance's own network: `net.core.somaxconn`, `net.ipv4.tcp_…`, `net.ipv4.ip_local_port_range`.",
    ),
  ),
  extra_hosts: Type.Optional(
    table<string>(
      patterns.HOST_NAME,
      { type: "string", pattern: patterns.IPV4 },
      "More names for /etc/hosts, each with an IPv4 address.",
    ),
  ),
};
