import { lstat, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { openLab } from "@ployz/lab";
import type { LayerSource } from "./layout.ts";

/** Layers made from the packages of a Debian root, as an image's builder installs them. */
export interface DebianLayers extends AsyncDisposable {
  /** The packages that every Debian has, with users and groups. */
  readonly essential: LayerSource;
  /** PostgreSQL and Redis with all that they need, without the essential ones. */
  readonly databases: LayerSource;
}

/** Reads them from the root of a lab machine with databases, which ends with the layers. */
export async function debianLayers(): Promise<DebianLayers> {
  const lab = await openLab({ machines: 1, databases: true });
  const lists = await mkdtemp(join(tmpdir(), "ployz-debian-"));
  const close = async () => {
    await rm(lists, { recursive: true, force: true });
    await lab.down();
  };
  try {
    const { init } = (await lab.info()).machines[0] ?? {};
    const root = `/proc/${init}/root`;
    const query = ["--admindir", `${root}/var/lib/dpkg`];
    const field = (name: string) => `$\{${name}}`;
    const fields = ["Package", "Essential", "Pre-Depends", "Depends", "Provides"].map(field);
    const format = `${fields.join("\\t")}\\n`;
    const { stdout } = await run("dpkg-query", [...query, "-W", "-f", format]);
    const packages = read(stdout);
    const essential = closure(
      [...packages.values()].filter((one) => one.essential).map(({ name }) => name),
      packages,
    );
    const all = closure(["postgresql-15", "redis-server", ...essential], packages);
    const files = async (names: readonly string[]) => {
      const listed = await run("dpkg-query", [...query, "-L", ...names], { maxOutputBytes: 64 * 2 ** 20 });
      // Packages name some files through links of the root, which a layer must not replace by folders.
      const real = (path: string) => path.replace(/^\/(bin|sbin|lib|lib64)(?=\/|$)/, "/usr/$1");
      const paths = listed.stdout.split("\n").filter((line) => line.startsWith("/") && line !== "/.");
      // A root without manuals lacks files that its packages name.
      const there = async (path: string) =>
        (await lstat(`${root}${path}`).catch(() => undefined)) ? [path] : [];
      return (await Promise.all([...new Set(paths.map(real))].sort().map(there))).flat();
    };
    const layer = async (name: string, paths: readonly string[]): Promise<LayerSource> => {
      const list = join(lists, name);
      await writeFile(list, paths.map((path) => `.${path}\n`).join(""));
      const script = `tar -C ${root} --no-recursion -T ${list} -cf - | tar -xpf -; mkdir -p tmp run; chmod 1777 tmp`;
      return { script };
    };
    const accounts = ["/etc/passwd", "/etc/group", "/bin", "/lib", "/sbin", "/lib64"];
    return {
      essential: await layer("essential", [...(await files(essential)), ...accounts]),
      databases: await layer("databases", await files(all.filter((name) => !essential.includes(name)))),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Package {
  readonly name: string;
  readonly essential: boolean;
  /** Alternatives of each dependency. */
  readonly needs: readonly (readonly string[])[];
  readonly provides: readonly string[];
}

const nameOf = (text: string) => text.trim().split(/[ (:]/)[0] ?? "";

function read(text: string): ReadonlyMap<string, Package> {
  const found = text.split("\n").flatMap((line): Package[] => {
    const [name = "", essential, before = "", depends = "", provides = ""] = line.split("\t");
    const needs = `${before},${depends}`;
    if (name === "") return [];
    return [
      {
        ...{ name, essential: essential === "yes" },
        needs: needs.split(",").flatMap((one) => (one.trim() === "" ? [] : [one.split("|").map(nameOf)])),
        provides: provides.split(",").flatMap((one) => (one.trim() === "" ? [] : [nameOf(one)])),
      },
    ];
  });
  return new Map(found.map((one) => [one.name, one]));
}

/** These packages and the installed ones that they need. */
function closure(first: readonly string[], packages: ReadonlyMap<string, Package>): readonly string[] {
  const providers = new Map(
    [...packages.values()].flatMap((one) => one.provides.map((name) => [name, one.name])),
  );
  const found = new Set<string>();
  const rest = [...first];
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    const one = packages.get(name);
    if (one === undefined || found.has(name)) continue;
    found.add(name);
    for (const alternatives of one.needs)
      for (const wanted of alternatives)
        rest.push(packages.has(wanted) ? wanted : (providers.get(wanted) ?? wanted));
  }
  return [...found].sort();
}
