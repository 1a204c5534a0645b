import { basename, join } from "node:path";
import type { Options } from "tsup";

type Plugin = NonNullable<Options["esbuildPlugins"]>[number];

/**
 * Opening a file takes as long as running it, and a bundler that splits makes a file for each set of parts that share code. What each of the
 * parts `names` loads at once, beyond the parts before it, becomes one file, `NAME.mjs`; the files that it was in only pass on its exports,
 * for the parts that are loaded later. What `main` loads before them stays as it is.
 */
export const mergeAtStart = (main: string, names: readonly string[], banner: string): Plugin => ({
  name: "merge-at-start",
  setup(build) {
    // Those of ployzd, in the same folder of a payload, are whole.
    build.initialOptions.chunkNames = `${main}-[name]-[hash]`;
    build.onEnd(async ({ outputFiles = [], metafile }) => {
      const codes = new Map(
        outputFiles.map(({ path, text }) => [basename(path), withoutBanner(text, banner)]),
      );
      const graph = new Map(
        Object.entries(metafile?.outputs ?? {}).map(([path, output]) => [basename(path), output] as const),
      );
      const loaded = (first: string, found = new Set<string>()): ReadonlySet<string> => {
        if (found.has(first) || !codes.has(first)) return found;
        found.add(first);
        for (const { path, kind } of graph.get(first)?.imports ?? [])
          if (kind === "import-statement") loaded(basename(path), found);
        return found;
      };
      const before = new Set(loaded(`${main}.mjs`));
      /** Files that only pass on exports. */
      const empty = new Set<string>();
      for (const name of names) {
        const entry = [...codes.keys()].find((file) => file.startsWith(`${main}-${name}-`));
        if (entry === undefined) throw new Error(`there is no output ${name}`);
        const exported = [...loaded(entry)]
          .filter((file) => !before.has(file))
          .map((file, index) => ({
            file,
            names: (graph.get(file)?.exports ?? []).map((one) => ({ name: one, as: `${one}_${index}` })),
          }));
        const group = new Set(exported.map(({ file }) => file));
        const merged = await build.esbuild.build({
          stdin: {
            contents: exported
              .map(
                ({ file, names }) =>
                  `export{${names.map(({ name, as }) => `${name} as ${as}`).join()}}from"./${file}";`,
              )
              .join("\n"),
            loader: "js",
          },
          bundle: true,
          write: false,
          format: "esm",
          target: "node20",
          minify: true,
          plugins: [inMemory(codes, new Set([...group, ...empty]))],
        });
        codes.set(`${name}.mjs`, merged.outputFiles?.[0]?.text ?? "");
        for (const { file, names } of exported) {
          codes.set(
            file,
            `export{${names.map(({ name, as }) => `${as} as ${name}`).join()}}from"./${name}.mjs";\n`,
          );
          before.add(file);
          empty.add(file);
        }
      }
      const [example] = outputFiles;
      if (example === undefined) return;
      const directory = join(example.path, "..");
      outputFiles.splice(
        0,
        outputFiles.length,
        ...[...codes].map(([file, text]) => ({
          ...example,
          path: join(directory, file),
          contents: new TextEncoder().encode(text),
          text,
        })),
      );
    });
  },
});

/** Most files do not use it. */
function withoutBanner(text: string, banner: string): string {
  const code = text.replace(`${banner}\n`, "");
  return /\brequire\b|__bundleDir/.test(code) ? text : code;
}

const inMemory = (codes: ReadonlyMap<string, string>, group: ReadonlySet<string>): Plugin => ({
  name: "in-memory",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ path, kind }) => {
      const file = basename(path);
      return kind === "import-statement" && path.startsWith("./") && group.has(file)
        ? { path: file, namespace: "output" }
        : { path, external: true };
    });
    onLoad({ filter: /./, namespace: "output" }, ({ path }) => ({
      contents: codes.get(path) ?? "",
      loader: "js",
    }));
  },
});
