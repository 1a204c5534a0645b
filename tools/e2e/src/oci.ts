import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import type { Cluster } from "./cluster.ts";

/** The program in an image's configuration, with the specification's names. */
export interface Program {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly Volumes?: Readonly<Record<string, object>>;
}

export interface MadeImage {
  readonly ref: string;
  /** Files by path, one layer each; the lowest has busybox in any case. */
  readonly layers: readonly Readonly<Record<string, string>>[];
  readonly program: Program;
  readonly architecture?: string;
}

const APPLETS = [
  "sh",
  "httpd",
  "cat",
  "id",
  "hostname",
  "sleep",
  "mkdir",
  "echo",
  "ls",
  "tar",
  "touch",
  "stat",
  "test",
];

/** Makes an image without a builder and without a registry, as `docker save` writes it, on machine `i`; resolves with the archive's path there. */
export async function putImage({ lab }: Cluster, i: number, image: MadeImage): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "ployz-image-"));
  try {
    await run("tar", ["-C", await archive(dir, image), "-cf", join(dir, "image.tar"), "."]);
    const path = `/root/${image.ref.replaceAll(/[^a-z0-9]/g, "-")}.tar`;
    const { stdout } = await run("base64", ["-w0", join(dir, "image.tar")]);
    await lab.sh(i, ["sh", "-c", 'base64 -d >"$1"', "sh", path], { input: stdout });
    return path;
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function archive(dir: string, { ref, layers, program, architecture = "amd64" }: MadeImage) {
  const out = join(dir, "archive");
  await mkdir(out);
  const base = join(dir, "base");
  await mkdir(join(base, "bin"), { recursive: true });
  await cp("/bin/busybox", join(base, "bin/busybox"));
  for (const applet of APPLETS) await symlink("busybox", join(base, "bin", applet));
  const names: string[] = [];
  const diffIds: string[] = [];
  for (const [at, files] of [undefined, ...layers].entries()) {
    const folder = files === undefined ? base : join(dir, `layer-${at}`);
    for (const [path, text] of Object.entries(files ?? {})) {
      await mkdir(join(folder, path, ".."), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const name = `${at}.tar`;
    const reproducible = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    await run("tar", [...reproducible, "-C", folder, "-cf", join(out, name), "."]);
    names.push(name);
    const hash = createHash("sha256").update(await readFile(join(out, name)));
    diffIds.push(`sha256:${hash.digest("hex")}`);
  }
  const config = {
    architecture,
    os: "linux",
    config: program,
    rootfs: { type: "layers", diff_ids: diffIds },
  };
  await writeFile(join(out, "config.json"), JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [ref], Layers: names }];
  await writeFile(join(out, "manifest.json"), JSON.stringify(manifest));
  return out;
}
