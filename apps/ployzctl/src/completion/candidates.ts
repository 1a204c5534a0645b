import type { Argument, Command, Option, Source } from "../command.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import { NOUNS, VERBS } from "../synonyms.ts";

export interface Candidate {
  readonly value: string;
  readonly summary?: string;
}

/** What can stand at the cursor: words that are known here, or a source of names. `prefix`: the part before a value, as in `--to=`. */
export interface Wanted {
  readonly candidates: readonly Candidate[];
  readonly source?: Source;
  readonly prefix: string;
}

/** Words of the line before the cursor, without `ployzctl`, and the word at the cursor. */
export function wantedAt(commands: readonly Command[], before: readonly string[], current: string): Wanted {
  const { path, command, options, positionals, pending, used, ended } = readLine(commands, before);
  if (pending !== undefined) return valuesOf(pending, "");
  const [flag = "", ...value] = current.split("=");
  if (!ended && current.startsWith("-")) {
    const option = value.length > 0 ? lookUp(options, flag) : undefined;
    if (option !== undefined) return valuesOf(option, `${flag}=`);
    const rows = Object.entries(options).filter(([name, { type }]) => type === "list" || !used.has(name));
    return { prefix: "", candidates: rows.map(([name, { summary }]) => ({ value: `--${name}`, summary })) };
  }
  const verbs = positionals === 0 && !ended ? verbsAt(commands, path) : [];
  const argument = argumentAt(command?.args ?? [], positionals);
  const own = argument === undefined ? { candidates: [], prefix: "" } : valuesOf(argument, "");
  return { ...own, candidates: [...verbs, ...own.candidates] };
}

interface Line {
  readonly path: readonly string[];
  readonly command: Command | undefined;
  readonly options: Readonly<Record<string, Option>>;
  readonly positionals: number;
  /** The flag before the cursor, if its value comes next. */
  readonly pending: Option | undefined;
  readonly used: ReadonlySet<string>;
  /** After `--`. */
  readonly ended: boolean;
}

function readLine(commands: readonly Command[], before: readonly string[]): Line {
  let path: readonly string[] = [];
  let [positionals, ended] = [0, false];
  let pending: Option | undefined;
  const used = new Set<string>();
  const commandOf = () => commands.find((one) => pathsOf(one).some((own) => isSame(own, path)));
  const optionsOf = () => ({ ...GLOBAL_OPTIONS, ...commandOf()?.options });
  for (const token of before) {
    if (pending !== undefined) pending = undefined;
    else if (ended) positionals++;
    else if (token === "--") ended = true;
    else if (token.startsWith("-") && token !== "-") {
      const options = optionsOf();
      const option = lookUp(options, token.split("=")[0] ?? "");
      used.add(Object.keys(options).find((name) => options[name as keyof typeof options] === option) ?? "");
      pending = option === undefined || option.type === "flag" || token.includes("=") ? undefined : option;
    } else {
      const names = [token, (path.length === 0 ? NOUNS : VERBS)[token] ?? token];
      const word =
        positionals > 0
          ? undefined
          : names.find((name) => verbsAt(commands, [...path, name], true).length > 0);
      if (word === undefined) positionals++;
      else path = [...path, word];
    }
  }
  return { path, command: commandOf(), options: optionsOf(), positionals, pending, used, ended };
}

const pathsOf = ({ path, aliases = [] }: Command) => [path, ...aliases];
const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((word, index) => word === other[index]);

/** The next words of commands below `path`; with `here`, also a command at the path itself, and aliases. */
function verbsAt(commands: readonly Command[], path: readonly string[], here = false): readonly Candidate[] {
  const verbs = new Map<string, string | undefined>();
  for (const command of commands)
    for (const own of here ? pathsOf(command) : [command.path]) {
      if (!path.every((word, index) => own[index] === word) || (!here && own.length === path.length))
        continue;
      const next = own[path.length] ?? "";
      verbs.set(next, own.length === path.length + 1 ? command.summary : verbs.get(next));
    }
  return [...verbs].map(([value, summary]) => ({ value, ...(summary !== undefined && { summary }) }));
}

const argumentAt = (args: readonly Argument[], index: number): Argument | undefined =>
  args[index] ?? (args.at(-1)?.many === true ? args.at(-1) : undefined);

function lookUp(options: Readonly<Record<string, Option>>, token: string): Option | undefined {
  const found = Object.entries(options).find(([name, { short, aliases = [] }]) =>
    token.startsWith("--") ? [name, ...aliases].includes(token.slice(2)) : short === token.slice(1),
  );
  return found?.[1];
}

const valuesOf = ({ choices = [], source }: Pick<Option, "choices" | "source">, prefix: string): Wanted => ({
  prefix,
  candidates: choices.map((value) => ({ value })),
  ...(source !== undefined && { source }),
});
