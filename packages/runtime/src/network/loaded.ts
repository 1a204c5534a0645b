import { run } from "@ployz/exec";

/**
 * Whether exactly these rules are in effect. nft(8) prints rules in its own words, so the wanted ones are loaded into an empty network
 * namespace and printed there. Where that is not allowed, the tables only have to be present. `learned`: the elements of
 * their sets come from packets, and are not compared.
 */
export async function isLoaded(
  input: string,
  tables: readonly string[],
  { learned = false } = {},
): Promise<boolean> {
  const list = learned ? ["-t", "list"] : ["list"];
  const loaded: string[] = [];
  for (const table of tables) {
    const { exitCode, stdout } = await run("nft", [...list, "table", ...table.split(" ")], {
      okExitCodes: [0, 1],
    });
    if (exitCode !== 0) return false;
    loaded.push(stdout);
  }
  // In a user namespace it takes no right of the machine; not every kernel lets one be made.
  const script = `nft -f - && nft ${list.join(" ")} ruleset`;
  const inEmpty = (options: readonly string[]) =>
    run("unshare", [...options, "--net", "sh", "-c", script], { input, okExitCodes: [0, 1] });
  const unprivileged = await inEmpty(["--user", "--map-root-user"]);
  const wanted = unprivileged.exitCode === 0 ? unprivileged : await inEmpty([]);
  return wanted.exitCode !== 0 || words(wanted.stdout) === words(loaded.join("\n"));
}

const words = (text: string): string => text.split(/\s+/).filter(Boolean).join(" ");
