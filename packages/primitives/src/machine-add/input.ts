import type { Refusal } from "../engine/types.ts";
import { checkLabel, shown } from "../model/names.ts";
import type { RemoteTarget } from "../ports/remote.ts";

export type MachineAddInput = {
  readonly target: RemoteTarget;
  /** Default: the target's host name. */
  readonly name?: string;
  readonly region?: string;
  readonly az?: string;
  readonly runtime?: "docker" | "process";
  /** The dataset for volumes there; its pool is there already. Default: what the machine's configuration says. */
  readonly zfsRoot?: string;
};

/** Regions and zones may start with a digit; a machine's name is a label that starts with a letter. */
const PLACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DATASET = /^[A-Za-z][A-Za-z0-9_.:/-]{0,59}$/;
const USER = /^[a-z_][a-z0-9_-]{0,31}$/;
const HOST =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
const IPV6 = /^(?=.{2,45}$)(?=.*:.*:)[0-9A-Fa-f:]+(?:\d{1,3}(?:\.\d{1,3}){3})?$/;
const MAX_TARGET = 400;

/** Reads `user@host`, `user@host:port` or `user@[v6]:port`. */
export function parseTarget(text: string): RemoteTarget | undefined {
  if (text.length > MAX_TARGET) return undefined;
  const match = /^([^@]+)@(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, user = "", v6, name, port] = match;
  const host = v6 ?? name ?? "";
  const number = port === undefined ? 22 : Number(port);
  const fits =
    USER.test(user) &&
    (v6 === undefined ? HOST.test(host) : IPV6.test(host)) &&
    number >= 1 &&
    number <= 65535;
  return fits ? { user, host, port: number } : undefined;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Checks the request's shape and every name in it; all problems at once. */
export function parseMachineAdd(
  raw: unknown,
):
  | { readonly ok: true; readonly input: MachineAddInput }
  | { readonly ok: false; readonly refusals: readonly Refusal[] } {
  const refusals: Refusal[] = [];
  const wrong = (field: string, message: string, hint: string) =>
    refusals.push({ code: "invalid_input", message: `${field}: ${message}`, hint });
  if (!isObject(raw))
    return { ok: false, refusals: [{ code: "invalid_input", message: "the input is not an object" }] };

  const target =
    typeof raw.target === "string"
      ? parseTarget(raw.target)
      : isObject(raw.target)
        ? targetOf(raw.target)
        : undefined;
  if (target === undefined)
    wrong(
      "target",
      "is not user@host or user@host:port",
      "for example: ployzctl machine add root@203.0.113.7",
    );
  const place = (field: "region" | "az"): string | undefined => {
    const value = raw[field];
    if (value === undefined) return undefined;
    if (typeof value === "string" && PLACE.test(value)) return value;
    wrong(
      field,
      `${shown(value)} must be lower-case letters, digits and dashes, at most 63, not starting or ending with a dash`,
      `choose another ${field}`,
    );
    return undefined;
  };
  const badName = raw.name === undefined ? undefined : checkLabel("name", raw.name);
  if (badName !== undefined) refusals.push(badName);
  const name = typeof raw.name === "string" ? raw.name : undefined;
  const [region, az] = [place("region"), place("az")];
  const runtime = raw.runtime;
  if (runtime !== undefined && runtime !== "docker" && runtime !== "process")
    wrong("runtime", "must be docker or process", "leave it out to use Docker where it runs");
  const { zfsRoot } = raw;
  if (zfsRoot !== undefined && (typeof zfsRoot !== "string" || !DATASET.test(zfsRoot)))
    wrong("zfsRoot", `${shown(zfsRoot)} is not a dataset`, "for example tank/ployz, at most 60 characters");
  for (const key of Object.keys(raw)) {
    if (!["target", "name", "region", "az", "runtime", "zfsRoot"].includes(key))
      wrong(shown(key), "is not known here", "leave it out");
  }
  if (target === undefined || refusals.length > 0) return { ok: false, refusals };
  return {
    ok: true,
    input: {
      target,
      ...(name !== undefined && { name }),
      ...(region !== undefined && { region }),
      ...(az !== undefined && { az }),
      ...((runtime === "docker" || runtime === "process") && { runtime }),
      ...(typeof zfsRoot === "string" && { zfsRoot }),
    },
  };
}

function targetOf({ user, host, port = 22 }: Readonly<Record<string, unknown>>): RemoteTarget | undefined {
  if (typeof user !== "string" || typeof host !== "string" || typeof port !== "number") return undefined;
  return parseTarget(`${user}@${formatHost(host)}:${port}`);
}

const formatHost = (host: string) => (host.includes(":") ? `[${host}]` : host);

export const targetText = ({ user, host, port }: RemoteTarget): string =>
  `${user}@${formatHost(host)}${port === 22 ? "" : `:${port}`}`;

/** The lease of adding this target: no two targets share one (a host has neither `_` nor `=`). */
export const scopeOf = ({ host, port }: RemoteTarget): string =>
  `machine-add.${host.toLowerCase().replaceAll(".", "_").replaceAll(":", "=")}-${port}`;
