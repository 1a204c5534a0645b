/** What to build. Paths are absolute. */
export interface BuildSpec {
  readonly context: string;
  /** Default: `Dockerfile` in the context. */
  readonly dockerfile?: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Such as linux/arm64. */
  readonly platform?: string;
  readonly name: string;
}

export type Builder = "docker buildx" | "docker build" | "buildah";
export type Argv = readonly [program: string, ...args: string[]];

/** The call that builds the image under its name, into the builder's own images. Pure. */
export function buildArgv(builder: Builder, spec: BuildSpec): Argv {
  const { context, dockerfile, args = {}, target, platform, name } = spec;
  const shared = [
    ...["-t", name],
    ...(dockerfile === undefined ? [] : ["-f", dockerfile]),
    ...Object.entries(args).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]),
    ...(target === undefined ? [] : ["--target", target]),
    ...(platform === undefined ? [] : ["--platform", platform]),
    context,
  ];
  if (builder === "buildah") return ["buildah", "bud", "--layers", "--format", "oci", ...shared];
  if (builder === "docker build") return ["docker", "build", ...shared];
  return ["docker", "buildx", "build", "--load", "--progress", "plain", ...shared];
}

/** The call that writes an image that buildah has as an archive. Pure. */
export const archiveArgv = (name: string, file: string): Argv => [
  ...(["buildah", "push", "--quiet"] as const),
  ...[name, `docker-archive:${file}:${name}`],
];
