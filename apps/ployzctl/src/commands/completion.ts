import type { Command } from "../command.ts";
import type { TextDocument } from "../documents.ts";
import { usage } from "../errors.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";

/** A completion script: words of commands, then flags. */
export function completion(shell: string, commands: readonly Command[]): TextDocument {
  const words = new Map<string, Set<string>>();
  const flags = new Map<string, readonly string[]>();
  for (const { path, options } of commands) {
    for (const [index, word] of path.entries()) {
      const before = path.slice(0, index).join(" ");
      words.set(before, (words.get(before) ?? new Set()).add(word));
    }
    flags.set(
      path.join(" "),
      Object.keys({ ...options, ...GLOBAL_OPTIONS }).map((name) => `--${name}`),
    );
  }
  const table = [...new Set([...words.keys(), ...flags.keys()])].map((key) => ({
    key,
    words: [...(words.get(key) ?? []), ...(flags.get(key) ?? [])].join(" "),
  }));
  switch (shell) {
    case "bash":
      return { kind: "text", text: bash(table) };
    case "zsh":
      return { kind: "text", text: `autoload -U +X bashcompinit && bashcompinit\n${bash(table)}` };
    case "fish":
      return { kind: "text", text: fish(table) };
    default:
      throw usage(`${JSON.stringify(shell.slice(0, 40))} is none of bash, zsh, fish`);
  }
}

type Table = readonly { readonly key: string; readonly words: string }[];

function bash(table: Table): string {
  return `_ployzctl() {
  local path="" word words="" current=\${COMP_WORDS[COMP_CWORD]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case $path in
${table.map(({ key, words }) => `      "${key}") words="${words}"; break ;;`).join("\n")}
      *" "*) path=\${path% *} ;;
      *) break ;;
    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _ployzctl ployzctl
`;
}

function fish(table: Table): string {
  return `function __ployzctl_path
  set -l words (commandline -opc)[2..-1]
  string match -v -- '-*' $words | string join ' '
end
${table
  .map(({ key, words }) => `complete -c ployzctl -f -n 'test (__ployzctl_path) = "${key}"' -a "${words}"`)
  .join("\n")}
`;
}
