import { FILES } from "./complete.ts";

/** The completion script of each shell. All ask `ployzctl __complete` and filter nothing themselves. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_ployzctl() {
  local line cur words
  # Bash splits words at = and :, ployzctl does not.
  read -ra words <<<"\${COMP_LINE:0:COMP_POINT}"
  [[ \${COMP_LINE:COMP_POINT-1:1} == [[:space:]] ]] && words+=("")
  cur=\${words[\${#words[@]}-1]}
  local skip=\${cur%"\${COMP_WORDS[COMP_CWORD]}"}
  [[ \${COMP_WORDS[COMP_CWORD]} == = ]] && skip=$cur
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == ${FILES} ]]; then compopt -o default 2>/dev/null; continue; fi
    line=\${line%%$'\\t'*}
    COMPREPLY+=("\${line#"$skip"}")
  done < <(ployzctl __complete "\${words[@]:1}" 2>/dev/null)
}
complete -F _ployzctl ployzctl
`,
  zsh: `#compdef ployzctl
_ployzctl() {
  local line files
  local -a values shown
  for line in "\${(@f)$(ployzctl __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -z $line ]] && continue
    if [[ $line == ${FILES} ]]; then files=1; continue; fi
    values+=("\${line%%$'\\t'*}")
    shown+=("\${line/$'\\t'/  -- }")
  done
  (( \${#values} )) && compadd -l -d shown -a values
  [[ -n $files ]] && _files
}
if [[ \${funcstack[1]} == _ployzctl ]]; then _ployzctl "$@"; else compdef _ployzctl ployzctl; fi
`,
  fish: `function __ployzctl_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in (ployzctl __complete $words[2..] 2>/dev/null)
    if test "$line" = "${FILES}"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c ployzctl -f -a '(__ployzctl_complete)'
`,
};
