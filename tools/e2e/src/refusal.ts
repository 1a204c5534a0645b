import { expect } from "vitest";
import type { Cluster, CtlOptions } from "./cluster.ts";

export interface ErrorShown {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface Refusal {
  readonly exit: 2 | 3 | 4;
  readonly code: string;
  /** Text that the message must contain: the field, the port, the object. */
  readonly names: string | RegExp;
  /** Text that the hint must contain. Default: any hint. */
  readonly hint?: string | RegExp;
}

type ErrorDocument = {
  readonly kind: string;
  readonly error?: ErrorShown;
  readonly refusals?: readonly ErrorShown[];
  readonly machines?: readonly { readonly state: string; readonly errors: readonly ErrorShown[] }[];
};

/** Runs the command twice, with human and JSON output, and expects the same refusal. Resolves with every error of the second run. */
export async function refuses(
  cluster: Cluster,
  machine: number,
  args: readonly string[],
  wanted: Refusal,
  options?: CtlOptions,
): Promise<readonly ErrorShown[]> {
  const any = Array.from({ length: 256 }, (_, code) => code);
  const ask = (mode: readonly string[]) => cluster.ctl(machine, [...mode, ...args], { ...options, ok: any });
  // Two operations on one thing would refuse each other.
  const operation = args[0] === "deploy" || args[1] === "add";
  const first = ask([]);
  if (operation) await first;
  const [human, json] = await Promise.all([first, ask(["--json"])]);
  const document = JSON.parse(json.stdout) as ErrorDocument;
  const errors = document.machines?.flatMap((one) => one.errors) ??
    document.refusals ?? [document.error ?? { code: "none", message: "" }];
  const found = errors.find(({ code, message }) => code === wanted.code && matches(message, wanted.names));
  const told = `${JSON.stringify(errors)}\n${human.stdout}${human.stderr}`;
  expect(found, `no ${wanted.code} that names ${wanted.names} in ${told}`).toBeDefined();
  expect(matches(found?.hint ?? "", wanted.hint ?? /./), `the hint of ${told}`).toBe(true);
  expect([human.exitCode, json.exitCode], told).toEqual([wanted.exit, wanted.exit]);
  const text = `${human.stdout}${human.stderr}`;
  expect(matches(text, wanted.names), text).toBe(true); // not word by word: free memory has changed
  expect(text).toContain(found?.hint ?? "");
  expect(text).not.toMatch(/^ +at .*:\d+:\d+\)?$/m); // no stack
  // One document, without control characters from the input.
  expect(json.stdout.trim().split("\n")).toHaveLength(1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the point
  expect(text).not.toMatch(/[\0-\x08\x0b-\x1f]/);
  expect(text.length).toBeLessThan(5_000);
  return errors;
}

const matches = (text: string, wanted: string | RegExp): boolean =>
  typeof wanted === "string" ? text.includes(wanted) : wanted.test(text);

export interface Answer {
  readonly status: number;
  readonly body: { readonly error?: ErrorShown; readonly refusals?: readonly ErrorShown[] };
}

/** A request to the daemon's socket as a program would make it, without ployzctl's own checks. The last line of a stream is its body. */
export async function api(
  cluster: Cluster,
  machine: number,
  method: string,
  path: string,
  body?: string,
): Promise<Answer> {
  const { stdout } = await cluster.lab.sh(
    machine,
    [
      "curl",
      ...["-s", "-m", "20", "--path-as-is", "--unix-socket", "/run/ployz/ployzd.sock", "-X", method],
      ...(body === undefined ? [] : ["--data-binary", "@-"]),
      ...["-w", "\n%{http_code}", `http://ployz${path}`],
    ],
    { ...(body !== undefined && { input: body }) },
  );
  const lines = stdout.split("\n").filter((line) => line !== "");
  const last = lines.at(-2);
  return {
    status: Number(lines.at(-1)),
    body: last === undefined ? {} : (JSON.parse(last) as Answer["body"]),
  };
}

/** Names that the API must always refuse. */
export const HOSTILE = [
  "$(touch /tmp/pwned)",
  "`touch /tmp/pwned`",
  "a;touch /tmp/pwned",
  "a|b",
  "-oProxyCommand=x",
  "--help",
  "../../etc/passwd",
  "a/b",
  "a\nb",
  "a b",
  "'a'",
  "A",
  "",
  "a".repeat(64 * 1024),
];
