import { readChapters, readRegistries, readThrows } from "./error-registry.mjs";

/** @typedef {import("./repository.mjs").Repository} Repository */

const INTRO = `# Error codes

<!-- Generated from the registries of the packages (src/error-codes.ts) by \`pnpm --filter @ployz/house errors\`. -->

Every error has a stable \`code\`, a \`message\` that names the object, and mostly a \`hint\` with the next step. \`--json\` prints
\`{"kind": "error", "error": {…}}\`; for a refused operation, \`refusals\` has all reasons.

The exit code is that of an error before anything was changed. An operation that had begun and failed exits with 1, whatever the
code of its error; with 4 where the code has 4. Codes with 1 end only such operations. All exit codes are in [cli.md](cli.md). The last
column names the packages that the error comes from.
`;

/**
 * docs/errors.md.
 * @param {Repository} repository
 */
export function errorPage(repository) {
  const entries = readRegistries(repository);
  const throws = readThrows(repository);
  const { areas, exits } = readChapters(repository);
  const chapters = areas.map(([area, title]) => {
    const rows = entries
      .filter((entry) => entry.area === area)
      .map(({ code, exit, meaning }) => {
        const from = new Set(
          throws.filter((one) => one.code === code).map(({ thrower }) => thrower.slice(7)),
        );
        return `| \`${code}\` | ${exits[exit]} | ${meaning.replace(/\.$/, "")} | ${[...from].sort().join(", ")} |`;
      });
    return `\n## ${title}\n\n| code | exit code | meaning | from |\n|---|---|---|---|\n${rows.sort().join("\n")}\n`;
  });
  return `${INTRO}${chapters.join("")}`;
}
