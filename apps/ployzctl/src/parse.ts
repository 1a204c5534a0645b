import { didYouMean } from "@ployz/primitives/client";
import yargs from "yargs";
import type { Argument, Command, Input, Option } from "./command.ts";
import { usage } from "./errors.ts";
import { GLOBAL_OPTIONS } from "./globals.ts";
import type { Color } from "./output/mode.ts";
import type { Globals } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;
type Values = Readonly<Record<string, unknown>>;

export interface Parsed {
  readonly globals: Globals;
  readonly input: Input;
  readonly help: boolean;
}

/** Reads arguments and flags. @throws PloyzError `usage`, with the nearest flag in its hint. */
export function parseCommandLine(command: Command, argv: readonly string[], env: Environment): Parsed {
  const options: Readonly<Record<string, Option>> = { ...GLOBAL_OPTIONS, ...command.options };
  const values = readOptions(options, argv, commandLine(command));
  const help = values.help === true;
  const positionals = (values._ as readonly unknown[]).map(String);
  const args = help ? {} : readArguments(command, positionals);
  return { globals: globalsOf(command, values, env), help, input: inputOf(values, args) };
}

export const commandLine = (command: Command): string => `ployzctl ${command.path.join(" ")}`;

function readOptions(
  options: Readonly<Record<string, Option>>,
  argv: readonly string[],
  name: string,
): Values {
  const spec = Object.fromEntries(
    Object.entries(options).map(([key, { type, short, aliases = [] }]) => [
      key,
      {
        type: type === "flag" ? ("boolean" as const) : ("string" as const),
        ...(type === "flag" ? {} : { requiresArg: true }),
        alias: [...aliases, ...(short === undefined ? [] : [short])],
      },
    ]),
  );
  const raw = yargs([...argv])
    .options(spec)
    .parserConfiguration({
      "boolean-negation": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "greedy-arrays": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "strip-aliased": true,
    })
    .detectLocale(false)
    .exitProcess(false)
    .help(false)
    .version(false)
    .fail((message) => {
      const missing = /following: (.*)$/.exec(message)?.[1];
      const long = Object.keys(options).find((key) => options[key]?.short === missing) ?? missing;
      throw usage(long === undefined ? message : `--${long} needs a value`, `${name} --help`);
    })
    .parseSync() as Values;
  const unknown = Object.keys(raw).find((key) => key !== "_" && key !== "$0" && !(key in options));
  if (unknown !== undefined) {
    const written = unknown.length === 1 ? `-${unknown}` : `--${unknown}`;
    const near = didYouMean(unknown, Object.keys(options));
    throw usage(
      `unknown flag: ${written}`,
      near === undefined ? `${name} --help` : `did you mean --${near}?`,
    );
  }
  return Object.fromEntries(
    Object.entries(raw).map(([key, value]) => [
      key,
      options[key] === undefined ? value : single(key, options[key], value),
    ]),
  );
}

function single(key: string, option: Option, value: unknown): unknown {
  if (option.type === "list") return Array.isArray(value) ? value : [value];
  if (option.type === "flag") return Array.isArray(value) ? value.at(-1) : value;
  if (Array.isArray(value)) throw usage(`--${key} is given more than once`);
  if (option.choices !== undefined && !option.choices.includes(String(value)))
    throw usage(`--${key}: ${JSON.stringify(value)} must be one of ${option.choices.join(", ")}`);
  if (option.type !== "number") return value;
  if (!/^\d{1,9}$/.test(String(value))) throw usage(`--${key}: ${JSON.stringify(value)} is not a number`);
  return Number(value);
}

function readArguments(
  command: Command,
  positionals: readonly string[],
): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, readonly string[]> = {};
  let rest = positionals;
  for (const argument of command.args ?? []) {
    found[argument.name] = argument.many === true ? rest : rest.slice(0, 1);
    rest = argument.many === true ? [] : rest.slice(1);
    const wrong = found[argument.name]?.find((word) => argument.choices?.includes(word) === false);
    if (wrong !== undefined)
      throw usage(
        `${argument.name.toUpperCase()}: ${JSON.stringify(wrong)} must be one of ${argument.choices?.join(", ")}`,
      );
    if (argument.required === true && found[argument.name]?.length === 0)
      throw usage(`${shownArgument(argument)} is missing`, usageLine(command));
  }
  if (rest.length > 0) throw usage(`unexpected argument: ${JSON.stringify(rest[0])}`, usageLine(command));
  return found;
}

export const shownArgument = ({ name, required, many }: Argument): string => {
  const word = `${name.toUpperCase()}${many === true ? "..." : ""}`;
  return required === true ? word : `[${word}]`;
};

export const usageLine = (command: Command): string =>
  [
    commandLine(command),
    ...(command.args ?? []).map(shownArgument),
    ...(command.options === undefined ? [] : ["[flags]"]),
  ].join(" ");

function inputOf(values: Values, args: Readonly<Record<string, readonly string[]>>): Input {
  return {
    argument: (name) => args[name]?.[0],
    arguments: (name) => args[name] ?? [],
    text: (option) => values[option] as string | undefined,
    number: (option) => values[option] as number | undefined,
    list: (option) => (values[option] as readonly string[] | undefined) ?? [],
    flag: (option) => values[option] === true,
  };
}

function globalsOf({ options = {} }: Command, values: Values, env: Environment): Globals {
  const text = (name: string) => values[name] as string | undefined;
  const [json, plain] = [values.json === true, values.plain === true];
  if (json && plain) throw usage("--json and --plain exclude each other");
  if (values.events === true && !json) throw usage("--events goes with --json");
  const timeout = text("timeout");
  const flags = ["host", "context", "socket"].filter((name) => text(name) !== undefined);
  if (flags.length > 1) throw usage(`--${flags[0]} and --${flags[1]} exclude each other`);
  const variable = (name: string) => (flags.length === 0 && env[name] !== "" ? env[name] : undefined);
  const host = text("host") ?? variable("PLOYZ_HOST");
  return {
    json,
    plain,
    events: values.events === true,
    quiet: values.quiet === true,
    wide: !("output" in options) && values.output === "wide",
    color: json || plain || values["no-color"] === true ? "never" : colorOf(env),
    config: text("config"),
    socket: text("socket"),
    dataDir: text("data-dir"),
    host,
    context: host === undefined ? (text("context") ?? variable("PLOYZ_CONTEXT")) : undefined,
    timeoutMs: timeout === undefined ? undefined : milliseconds(timeout),
  };
}

function colorOf({ NO_COLOR, FORCE_COLOR, TERM }: Environment): Color {
  if ((NO_COLOR ?? "") !== "" || FORCE_COLOR === "0") return "never";
  if ((FORCE_COLOR ?? "") !== "") return "always";
  return TERM === "dumb" ? "never" : "auto";
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function milliseconds(text: string): number {
  const [, number, unit = "s"] = /^(\d{1,7})(ms|s|m|h)?$/.exec(text) ?? [];
  if (number === undefined || Number(number) === 0)
    throw usage(`--timeout: ${JSON.stringify(text)} is not a duration`, "for example 30s");
  return Number(number) * (UNITS[unit] ?? 1000);
}
