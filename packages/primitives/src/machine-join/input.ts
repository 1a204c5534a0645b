import type { Refusal } from "../engine/types.ts";
import { publicSelf } from "../machine-add/seat.ts";
import { INVITE_ID } from "../model/invite.ts";
import { shown } from "../model/names.ts";

/** What the new machine says of itself. Only public halves of keys. */
export type JoiningMachine = {
  readonly publicKey: string;
  readonly nkey: string;
  /** Best first; where the connection came from is among them. */
  readonly endpoints: readonly string[];
  readonly hostname: string;
  readonly runtime: "docker" | "process";
  readonly version: string;
  readonly region?: string;
  readonly az?: string;
  /** Its own networks, to refuse an overlap with the cluster's range. */
  readonly routes: readonly string[];
};

export type MachineJoinInput = { readonly invite: string; readonly self: JoiningMachine };

/** Regions and zones may start with a digit. */
export const PLACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const VERSION = /^[A-Za-z0-9.+-]{1,100}$/;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTexts = (value: unknown, most: number): value is readonly string[] =>
  Array.isArray(value) &&
  value.length <= most &&
  value.every((one) => typeof one === "string" && one.length <= 100);
const isPlace = (value: unknown): value is string | undefined =>
  value === undefined || (typeof value === "string" && PLACE.test(value));

/** It comes from a machine that is nobody's yet, and what is in it ends up in the configuration of every member. */
export function parseMachineJoin(
  raw: unknown,
):
  | { readonly ok: true; readonly input: MachineJoinInput }
  | { readonly ok: false; readonly refusals: readonly Refusal[] } {
  const no = (message: string) => ({
    ok: false as const,
    refusals: [{ code: "invalid_input", message, hint: "the versions of both machines must fit" }],
  });
  if (!isRecord(raw) || !isRecord(raw.self)) return no("the input is not an object with invite and self");
  if (typeof raw.invite !== "string" || !INVITE_ID.test(raw.invite))
    return no(`invite: ${shown(raw.invite)} is not an invite's id`);
  const self = publicSelf(raw.self);
  if (self === undefined) return no("self: keys or endpoints are not what a machine says of itself");
  const { hostname, runtime, version, region, az, routes } = raw.self;
  if (typeof hostname !== "string" || hostname.length > 253) return no("self.hostname: is no host name");
  if (runtime !== "docker" && runtime !== "process") return no("self.runtime: is neither docker nor process");
  if (typeof version !== "string" || !VERSION.test(version)) return no("self.version: is no version");
  if (!isPlace(region) || !isPlace(az)) return no("self.region, self.az: are not labels");
  if (!isTexts(routes, 1000)) return no("self.routes: is not a list of networks");
  return {
    ok: true,
    input: {
      invite: raw.invite,
      self: {
        ...{ ...self, hostname, runtime, version, routes },
        ...(region !== undefined && { region }),
        ...(az !== undefined && { az }),
      },
    },
  };
}

/** One lease for each machine that wants in, whatever invite it holds: its key, in letters that a lease's name may have. */
export const scopeOf = ({ publicKey }: JoiningMachine): string =>
  `machine-join.${publicKey.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
