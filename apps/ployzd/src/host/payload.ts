import { access, readFile, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** This machine's installed payload, which it runs and which `machine add` uploads. See tools/release. */
export interface Payload {
  readonly version: string;
  readonly build: string;
  /** Of its programs, as Node names it. */
  readonly arch: string;
  /** The folder that holds version.json. */
  readonly dir: string;
  /** The installed archive, for other machines. */
  readonly tarball: string;
  /** Debian packages that a member needs, each with its condition: see packages.txt. */
  readonly packages: readonly { readonly name: string; readonly when: string }[];
  readonly node: string;
  /** A young generation of 1 MiB instead of 16: these processes allocate little, and there are three on every machine. */
  readonly nodeFlags: readonly string[];
  readonly ployzd: string;
  readonly natsServer: string;
}

/** Reads the payload of this program: `<dir>/lib/ployzd.mjs`. */
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
  // Start services by a path that an update does not change, so that an update does not restart the store's server.
  const current = join(dirname(dir), "current");
  const installed = (await realpath(current).catch(() => undefined)) === (await realpath(dir));
  const stable = join(installed ? current : dir, "lib");
  return {
    version,
    build,
    arch: process.arch,
    dir,
    packages,
    tarball: join(dir, "payload.tar.gz"),
    node: join(stable, "node"),
    nodeFlags: ["--max-semi-space-size=1", "--import", join(stable, "compile-cache.mjs")],
    ployzd: join(stable, "ployzd.mjs"),
    natsServer: join(stable, "nats-server"),
  };
}
