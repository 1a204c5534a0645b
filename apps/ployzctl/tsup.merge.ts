import { basename, join } from "node:path";
import type { Options } from "tsup";

type Plugin = NonNullable<Options["esbuildPlugins"]>[number];

/**
 * Opening a file takes as long as running it, and a bundler that splits makes a file for each set of parts that share code. What the
 * parts `names` load at once becomes one file, `start.mjs`; the files that it was in only pass on its exports, for the parts that are loaded
 * later. What `main` loads before them stays as it is.
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
      const outputs = Object.entries(metafile?.outputs ?? {}).map(
        ([path, output]) => [basename(path), output] as const,
      );
      const graph = new Map(outputs);
      const loaded = (first: string, found = new Set<string>()): ReadonlySet<string> => {
        if (found.has(first) || !codes.has(first)) return found;
        found.add(first);
        for (const { path, kind } of graph.get(first)?.imports ?? [])
          if (kind === "import-statement") loaded(basename(path), found);
        return found;
      };
      const before = loaded(`${main}.mjs`);
      const entries = names.map(
        (name) => [...codes.keys()].find((file) => file.startsWith(`${main}-${name}-`)) ?? name,
      );
      const group = [...new Set(entries.flatMap((entry) => [...loaded(entry)]))].filter(
        (file) => !before.has(file),
      );
      if (group.length < names.length) throw new Error(`no outputs ${names.join()} to merge`);
      const exported = group.map((file, index) => ({
        file,
        names: (graph.get(file)?.exports ?? []).map((name) => ({ name, as: `${name}_${index}` })),
      }));
      const clause = (list: (typeof exported)[number]["names"], back = false) =>
        `export{${list.map(({ name, as }) => (back ? `${as} as ${name}` : `${name} as ${as}`)).join()}}`;
      const merged = await build.esbuild.build({
        stdin: {
          contents: exported.map(({ file, names }) => `${clause(names)}from"./${file}";`).join("\n"),
          loader: "js",
        },
        bundle: true,
        write: false,
        format: "esm",
        target: "node20",
        minify: true,
        plugins: [inMemory(codes, new Set(group))],
      });
      codes.set("start.mjs", merged.outputFiles?.[0]?.text ?? "");
      for (const { file, names } of exported) codes.set(file, `${clause(names, true)}from"./start.mjs";\n`);
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
