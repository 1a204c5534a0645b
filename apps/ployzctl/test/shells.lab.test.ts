import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SCRIPTS } from "../src/completion/scripts.ts";
import { ctl } from "./run.ts";

/** The real shells, with a stand-in for ployzctl that answers some lines as `__complete` does. */
describe("completion in the shells", () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "ployz-shell-"));
    const stub = `#!/bin/sh
[ "$1" = __complete ] || exit 9
shift
case "$*" in
  "machine dr") printf 'drain\\tStop placing work\\n' ;;
  "machine drain ") printf 'm1\\nm2\\nm10\\n' ;;
  "migrate prod/db --to=m1") printf -- '--to=m1\\n--to=m10\\n' ;;
  "logs prod/w") echo prod/web ;;
  "deploy -f "*) echo :files ;;
esac
`;
    await writeFile(join(dir, "ployzctl"), stub);
    await chmod(join(dir, "ployzctl"), 0o755);
    await writeFile(join(dir, "manifest.toml"), "");
    for (const [shell, script] of Object.entries(SCRIPTS)) {
      expect(await ctl(["completion", shell])).toMatchObject({ code: 0, out: script });
      await writeFile(join(dir, `script.${shell}`), script);
    }
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const shell = async (program: string, args: readonly string[]) => {
    const env = { PATH: `${dir}:/usr/bin:/bin`, HOME: dir, TERM: "xterm" };
    const { stdout } = await run(program, args, { cwd: dir, env, timeoutMs: 60_000 });
    return stdout
      .split("\n")
      .map((row) => row.trimEnd())
      .filter((row) => row !== "");
  };

  /** What bash itself would do at TAB: COMP_WORDS is split at = too. */
  const inBash = (line: string) =>
    shell("bash", [
      "--norc",
      "-c",
      `source ./script.bash; COMP_LINE=${quoted(line)}; COMP_POINT=\${#COMP_LINE}
       read -ra COMP_WORDS <<<"\${COMP_LINE//=/ = }"; [[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
       COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _ployzctl; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ]);

  it("bash: words, names, and values after =", async () => {
    expect(await inBash("ployzctl machine dr")).toEqual(["drain"]);
    expect(await inBash("ployzctl machine drain ")).toEqual(["m1", "m2", "m10"]);
    expect(await inBash("ployzctl migrate prod/db --to=m1")).toEqual(["m1", "m10"]);
  });

  it("fish: the same, as fish itself completes", async () => {
    const inFish = (line: string) =>
      shell("fish", ["--no-config", "-c", `source ./script.fish; complete -C ${quoted(line)}`]);
    expect(await inFish("ployzctl machine dr")).toEqual(["drain\tStop placing work"]);
    expect(await inFish("ployzctl machine drain ")).toEqual(["m1", "m2", "m10"]);
    expect(await inFish("ployzctl deploy -f ")).toContain("manifest.toml");
  });

  it("zsh: the same, typed at a terminal of its own", async () => {
    // A key of its own writes down the line as it is after TAB.
    const session = `zmodload zsh/zpty
      until_lines() { for i in {1..200}; do [[ -f $1 && $(wc -l <$1) -ge $2 ]] && return; sleep 0.1; done }
      zpty z zsh -f -i
      zpty -w z 'autoload -Uz compinit && compinit -u -d ./zdump; source ./script.zsh; show() { print -r -- "$BUFFER" >>./buffer; }; zle -N show; bindkey "^X" show; print >ready'
      until_lines ready 1
      for line in 'ployzctl machine dr' 'ployzctl logs prod/w' 'ployzctl machine drain ' 'ployzctl deploy -f man'; do
        zpty -w -n z $'\\025'"$line"$'\\t\\030'
        until_lines buffer $(( ++count ))
      done
      zpty -d z
      cat buffer`;
    expect(await shell("zsh", ["-f", "-c", session])).toEqual([
      "ployzctl machine drain",
      "ployzctl logs prod/web",
      "ployzctl machine drain m",
      "ployzctl deploy -f manifest.toml",
    ]);
  }, 60_000);
});
