import type { ErrorBody } from "@ployz/errors";
import type { Command, Input } from "./command.ts";
import type { Document } from "./documents.ts";

/** A field at the beginning of a message: `keep.daily: …`, `services.web.ports.http: …`. */
const FIELD = /^([a-zA-Z]\w*(?:[.[][\w\]-]+)*): /;
/** `allData` as `all-data`, `everyMs` as `every`. */
const flagName = (words: readonly string[]) =>
  words
    .join("-")
    .replace(/Ms$/, "")
    .replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The flag or argument of the command line that gave a field of the command's input; undefined when none did. */
export function typedAs(command: Command, input: Input, field: string): string | undefined {
  const { options = {}, args = [] } = command;
  const words = field.split(/[.[\]]+/).filter((word) => word !== "");
  // A command that changes one service has its fields as flags.
  const path = words[0] === "services" && args[0]?.name === "service" ? words.slice(2) : words;
  for (let length = path.length; length > 0; length--) {
    const head = path.slice(0, length);
    const sets = (named: string, { sets = [] }: { readonly sets?: readonly string[] }) =>
      [named, `${named}s`].includes(flagName(head)) || sets.includes(head.join("."));
    const option = Object.entries(options).find(([name, one]) => sets(name, one) && isTyped(input, name));
    if (option !== undefined) return `--${option[0]}`;
    const argument = args.find((one) => sets(one.name, one) && input.arguments(one.name).length > 0);
    if (argument !== undefined) return argument.name.toUpperCase();
  }
  return undefined;
}

/** Of each type, a flag that was left out has no value. */
const isTyped = (input: Input, option: string): boolean => input.text(option) !== undefined;

function namedInError<E extends ErrorBody>(command: Command, input: Input, error: E): E {
  const field = FIELD.exec(error.message)?.[1];
  const typed = field === undefined ? undefined : typedAs(command, input, field);
  if (field === undefined || typed === undefined) return error;
  return { ...error, message: `${typed}${error.message.slice(field.length)}` };
}

/**
 * The document with fields of the cluster's interface in its errors named as the operator typed them: `--rate: …` for
 * `bytesPerSecond: …`. `details.field` stays for programs.
 */
export function namedAsTyped(command: Command, input: Input, document: Document): Document {
  const named = <E extends ErrorBody>(error: E) => namedInError(command, input, error);
  if (document.kind === "machine-add")
    return {
      ...document,
      machines: document.machines.map((one) => ({ ...one, errors: one.errors.map(named) })),
    };
  if (document.kind !== "error") return document;
  return {
    ...document,
    error: named(document.error),
    ...(document.refusals !== undefined && { refusals: document.refusals.map(named) }),
  };
}
