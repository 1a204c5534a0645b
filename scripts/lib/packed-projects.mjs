// Writes the projects in which scripts/packed.sh uses the tarballs: packed-projects.mjs FOLDER PACKAGE...
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const [work = "", ...names] = process.argv.slice(2);
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const write = (path, content) => {
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), typeof content === "string" ? content : JSON.stringify(content, null, 2));
};

const { "@types/node": node } = read("package.json").devDependencies;
// The compiler that consumers have: the one before ours.
const { typescript } = read("tools/house/package.json").devDependencies;
const manifests = new Map(names.map((name) => [name, read(`packages/${name}/package.json`)]));
const tarballs = (some) =>
  Object.fromEntries(
    some.map((name) => [
      `@ployz/${name}`,
      `file:${join(work, "tarballs", `ployz-${name}-${manifests.get(name).version}.tgz`)}`,
    ]),
  );

/** A project whose sources are the README programs of `some`. */
function project(path, some) {
  write(`${path}/package.json`, {
    ...{ name: path.replace("/", "-"), private: true, type: "module" },
    dependencies: tarballs(some),
    devDependencies: { typescript, "@types/node": node },
  });
  write(`${path}/tsconfig.json`, {
    compilerOptions: {
      ...{ target: "ES2023", lib: ["ES2023"], module: "NodeNext", types: ["node"] },
      ...{ strict: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
      ...{ rootDir: "src", outDir: "out", rewriteRelativeImportExtensions: true },
    },
    include: ["src"],
  });
  for (const name of some)
    if (existsSync(`packages/${name}/examples`))
      cpSync(`packages/${name}/examples`, join(work, path, "src", name), { recursive: true });
}

// Without hoisting a project, and each package in it, sees its declared dependencies only.
const overrides = Object.entries(tarballs(names)).map(([name, file]) => `  "${name}": "${file}"`);
write(
  "pnpm-workspace.yaml",
  ["packages: [all, 'alone/*']", "hoist: false", "managePackageManagerVersions: false", "overrides:"]
    .concat(overrides, "")
    .join("\n"),
);
write("package.json", { private: true });
project("all", names);
for (const name of names) {
  project(`alone/${name}`, [name]);
  const entries = Object.keys(manifests.get(name).exports).filter((entry) => !entry.endsWith(".json"));
  write(
    `alone/${name}/import.mjs`,
    entries.map((entry) => `await import("@ployz/${name}${entry.slice(1)}");\n`).join(""),
  );
}
