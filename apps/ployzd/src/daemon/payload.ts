import { access, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What is installed on this machine: what runs here, and what `machine add` uploads. See tools/release. */
export interface Payload {
  readonly version: string;
  readonly build: string;
  /** The folder that holds version.json. */
  readonly dir: string;
  /** What was installed, whole, for the next machine. */
  readonly tarball: string;
  /** Debian packages that a member needs, each with its condition: see packages.txt. */
  readonly packages: readonly { readonly name: string; readonly when: string }[];
  readonly node: string;
  /** A young generation of 1 MiB instead of 16: these processes allocate little, and there are three on every machine. */
  readonly nodeFlags: readonly string[];
  readonly ployzd: string;
  readonly natsServer: string;
}

/** Reads the payload that this program was started from: `<dir>/lib/ployzd.mjs`. */
export async function loadPayload(program: string = fileURLToPath(import.meta.url)): Promise<Payload> {
  const lib = dirname(program);
  const dir = dirname(lib);
  const { version, build } = JSON.parse(await readFile(join(dir, "version.json"), "utf8")) as {
    version: string;
    build: string;
  };
  const packages = (await readFile(join(dir, "packages.txt"), "utf8"))
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .flatMap(([name = "", when = "always"]) => (name === "" ? [] : [{ name, when }]));
  await access(join(lib, "node"));
  return {
    version,
    build,
    dir,
    packages,
    tarball: join(dir, "payload.tar.gz"),
    node: join(lib, "node"),
    nodeFlags: ["--max-semi-space-size=1", "--import", join(lib, "compile-cache.mjs")],
    ployzd: join(lib, "ployzd.mjs"),
    natsServer: join(lib, "nats-server"),
  };
}
