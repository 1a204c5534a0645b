import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import type { Lab } from "@ployz/lab";
import type { Program } from "./oci.ts";
import { type ImageRegistry, LOGIN } from "./registry.ts";

/** A layer as the files of a folder. */
export interface LayerSource {
  /** Run by sh(1) in the layer's empty folder. */
  readonly script: string;
  /** Of tar(1), in place of `.`: names as they are to stand in the archive. */
  readonly tar?: readonly string[];
  /** Default gzip. */
  readonly compress?: "none" | "gzip" | "zstd";
}

export interface LayoutOptions {
  /** Lowest first; below them is one with busybox. */
  readonly layers: readonly LayerSource[];
  readonly program: Program;
  readonly architecture?: string;
  /** No layer with busybox below. */
  readonly bare?: boolean;
}

/** An image in an OCI image layout, in a folder that goes with it. */
export interface Layout extends AsyncDisposable {
  readonly dir: string;
  /** Of its manifest. */
  readonly digest: string;
  readonly manifest: Buffer;
  /** All blobs but the manifest. Sizes in bytes. */
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
}

const BUSYBOX = `mkdir -p bin tmp etc && cp /bin/busybox bin/ && for a in sh httpd cat id ls stat test sleep echo wget; do ln -s busybox bin/$a; done`;
const TYPE = "application/vnd.oci.image";
export const MANIFEST_TYPE = `${TYPE}.manifest.v1+json`;
const SUFFIX = { none: "", gzip: "+gzip", zstd: "+zstd" } as const;

const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Makes an image without a builder. */
export async function makeLayout(options: LayoutOptions): Promise<Layout> {
  const dir = await mkdtemp(join(tmpdir(), "ployz-layout-"));
  const folder = join(dir, "blobs", "sha256");
  await mkdir(folder, { recursive: true });
  const add = async (bytes: Buffer) => {
    const digest = sha256(bytes);
    await writeFile(join(folder, digest.slice(7)), bytes);
    return { digest, size: bytes.length };
  };
  const sources = [...(options.bare === true ? [] : [{ script: BUSYBOX }]), ...options.layers];
  const layers: { mediaType: string; digest: string; size: number }[] = [];
  const diffIds: string[] = [];
  for (const { script, tar = ["."], compress = "gzip" } of sources as readonly LayerSource[]) {
    const [files, archive] = [join(dir, "files"), join(dir, "layer.tar")];
    await mkdir(files);
    await run("sh", ["-ec", script], { cwd: files, timeoutMs: 300_000 });
    const plain = ["--mtime=@0", "--sort=name", "--numeric-owner", "-P"];
    await run("tar", [...plain, "-cf", archive, ...tar], { cwd: files, timeoutMs: 300_000 });
    diffIds.push(`sha256:${(await run("sha256sum", [archive])).stdout.slice(0, 64)}`);
    if (compress === "gzip") await run("gzip", ["-n1", archive], { timeoutMs: 300_000 });
    if (compress === "zstd") await run("zstd", ["-q", "--rm", archive, "-o", `${archive}.gz`]);
    const made = compress === "none" ? archive : `${archive}.gz`;
    layers.push({
      mediaType: `${TYPE}.layer.v1.tar${SUFFIX[compress]}`,
      ...(await add(await readFile(made))),
    });
    await rm(made);
    await rm(files, { recursive: true });
  }
  const architecture = options.architecture ?? "amd64";
  const config = { architecture, os: "linux", config: options.program };
  const rootfs = { type: "layers", diff_ids: diffIds };
  const configured = await add(Buffer.from(JSON.stringify({ ...config, rootfs })));
  const manifest = Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: MANIFEST_TYPE },
      config: { mediaType: `${TYPE}.config.v1+json`, ...configured },
      layers,
    }),
  );
  const { digest } = await add(manifest);
  const unique = new Map([configured, ...layers].map((blob) => [blob.digest, blob]));
  return {
    ...{ dir, digest, manifest },
    blobs: [...unique.values()].map(({ digest: name, size }) => ({ digest: name, size })),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** As an OCI archive with this name, at a path of machine `i`. */
export async function saveLayout(
  lab: Lab,
  i: number,
  { dir, digest, manifest }: Layout,
  name: string,
  path: string,
): Promise<void> {
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        ...{ mediaType: MANIFEST_TYPE, digest, size: manifest.length },
        annotations: { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name },
      },
    ],
  };
  await writeFile(join(dir, "index.json"), JSON.stringify(index));
  await writeFile(join(dir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const archive = join(dir, "archive.tar");
  await run("tar", ["-C", dir, "-cf", archive, "oci-layout", "index.json", "blobs"], { timeoutMs: 120_000 });
  const init = (await lab.info()).machines[i - 1]?.init;
  await copyFile(archive, `/proc/${init}/root${path}`);
  await rm(archive);
}

/** Puts it into a registry, as `repository:tag`. */
export async function pushLayout(
  lab: Lab,
  registry: Pick<ImageRegistry, "host" | "ca">,
  { dir, blobs, manifest }: Layout,
  name: string,
): Promise<void> {
  const [repository = "", tag = "latest"] = name.split(":");
  const base = `${registry.ca === undefined ? "http" : "https"}://${registry.host}/v2/${repository}`;
  const curl = (args: readonly string[]) =>
    inLab(lab, ["curl", "-sSfk", "-u", `${LOGIN.username}:${LOGIN.password}`, ...args]);
  for (const { digest } of blobs) {
    const { stdout } = await curl([
      "-o",
      "/dev/null",
      "-D",
      "-",
      "-X",
      "POST",
      "-d",
      "",
      `${base}/blobs/uploads/`,
    ]);
    const location = /^location: *(\S+)/im.exec(stdout)?.[1] ?? "";
    const file = `@${join(dir, "blobs/sha256", digest.slice(7))}`;
    const to = `${location}${location.includes("?") ? "&" : "?"}digest=${digest}`;
    await curl(["-X", "PUT", "-H", "content-type: application/octet-stream", "--data-binary", file, to]);
  }
  await putManifest(lab, registry, { repository, reference: tag, bytes: manifest, mediaType: MANIFEST_TYPE });
}

/** Puts a manifest or an index into a registry. */
export async function putManifest(
  lab: Lab,
  registry: Pick<ImageRegistry, "host" | "ca">,
  put: {
    readonly repository: string;
    readonly reference: string;
    readonly bytes: Buffer;
    readonly mediaType: string;
  },
): Promise<void> {
  const base = `${registry.ca === undefined ? "http" : "https"}://${registry.host}/v2/${put.repository}`;
  const login = ["-u", `${LOGIN.username}:${LOGIN.password}`];
  const type = ["-H", `content-type: ${put.mediaType}`];
  const argv = ["curl", "-sSfk", ...login, "-X", "PUT", ...type, "--data-binary", "@-"];
  await inLab(lab, [...argv, `${base}/manifests/${put.reference}`], put.bytes.toString());
}

const inLab = (lab: Lab, argv: readonly string[], input = "") =>
  run("nsenter", [`--net=/run/netns/plab-${lab.name}`, ...argv], { input, timeoutMs: 120_000 });
