import { expect, it } from "vitest";
import { archiveArgv, buildArgv } from "./argv.ts";

const spec = {
  ...{ context: "/src", dockerfile: "/src/prod.Dockerfile", args: { VERSION: "4 5" }, target: "run" },
  ...{ platform: "linux/arm64", name: "web:v4" },
};

it("each builder gets the same file, arguments, target and platform", () => {
  const rest = [
    ...["-t", "web:v4", "-f", "/src/prod.Dockerfile", "--build-arg", "VERSION=4 5"],
    ...["--target", "run", "--platform", "linux/arm64", "/src"],
  ];
  expect(buildArgv("docker build", spec)).toEqual(["docker", "build", ...rest]);
  expect(buildArgv("docker buildx", spec)).toEqual([
    ...["docker", "buildx", "build", "--load", "--progress", "plain"],
    ...rest,
  ]);
  expect(buildArgv("buildah", spec)).toEqual(["buildah", "bud", "--layers", "--format", "oci", ...rest]);
  expect(buildArgv("docker build", { context: "/src", name: "web:v4" })).toEqual([
    ...["docker", "build", "-t", "web:v4", "/src"],
  ]);
});

it("buildah writes the archive to a file", () => {
  expect(archiveArgv("web:v4", "/tmp/a").slice(-2)).toEqual(["web:v4", "docker-archive:/tmp/a:web:v4"]);
});
