import type { TokenCreated } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_DAYS = 366;

/** `90d` in milliseconds. */
function lifetime(text: string): number {
  const [, number, unit = ""] = /^(\d{1,8})(s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (ms >= 1_000 && ms <= LONGEST_DAYS * 86_400_000) return ms;
  throw wrong("--ttl", text, `is not a time of at most ${LONGEST_DAYS} days`, "for example 12h or 90d");
}

const wrong = (field: string, value: string, what: string, hint: string) =>
  new PloyzError({
    code: "invalid_input",
    message: `${field}: ${JSON.stringify(value.slice(0, 60))} ${what}`,
    hint,
    details: { field },
  });

/** Values that may be given one by one, or several with commas. */
const split = (values: readonly string[]): readonly string[] => [
  ...new Set(values.flatMap((value) => value.split(","))),
];

async function patterns(field: string, values: readonly string[]): Promise<readonly string[]> {
  const { ALLOWED, NAMESPACES } = await import("@ployz/primitives/protocol");
  const form = new RegExp(NAMESPACES);
  const list = split(values);
  const bad = list.find((one) => !form.test(one));
  if (bad === undefined) return list;
  const hint =
    bad === "*" ? "name the beginning of the namespaces, such as 'pr-*'" : `use ${ALLOWED[NAMESPACES]}`;
  throw wrong(field, bad, "is no namespace", hint);
}

export async function create(context: Context, input: Input): Promise<TokenCreated> {
  const { PERMISSIONS } = await import("@ployz/primitives/protocol");
  const named = split(input.list("allow"));
  const allow = PERMISSIONS.filter((one) => named.includes(one));
  const unknown = named.find((one) => !PERMISSIONS.some((known) => known === one));
  if (unknown !== undefined)
    throw wrong("--allow", unknown, "is no permission", `use some of ${PERMISSIONS.join(", ")}`);
  if (allow.length === 0) throw usage("--allow is missing", `use some of ${PERMISSIONS.join(", ")}`);
  const namespaces = await patterns("--namespace", input.list("namespace"));
  if (namespaces.length === 0) throw usage("--namespace is missing", "for example --namespace 'pr-*'");
  const branchFrom = await patterns("--branch-from", input.list("branch-from"));
  const promoteTo = await patterns("--promote-to", input.list("promote-to"));
  const needs = (list: readonly string[], one: "branch" | "promote", flag: string) => {
    if (list.length > 0 && !allow.includes(one)) throw usage(`${flag} needs --allow ${one}`);
  };
  needs(branchFrom, "branch", "--branch-from");
  needs(promoteTo, "promote", "--promote-to");
  return (await context.client()).request("POST /v1/tokens", {
    body: {
      ...{ name: await needLabel("--name", input.text("name") ?? "ci"), namespaces, allow },
      ...(branchFrom.length > 0 && { branchFrom }),
      ...(promoteTo.length > 0 && { promoteTo }),
      ...{ ttlMs: lifetime(input.text("ttl") ?? "30d"), by: context.terminal.by },
    },
    signal: context.signal,
  });
}
