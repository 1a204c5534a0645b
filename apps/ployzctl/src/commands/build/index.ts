import type { Command } from "../../command.ts";
import { TO } from "../image/flags.ts";

export const buildCommands: readonly Command[] = [
  {
    path: ["build"],
    summary: "Build an image from a Dockerfile, and push it to the cluster",
    details: [
      "Uses the builder of this machine: docker buildx, else docker build, else buildah. With --push the image goes to the daemon's machine, where a manifest finds it by its name; --to and --all also copy it to others. Only layers that a machine lacks travel between machines.",
    ],
    args: [{ name: "path", summary: "The folder to build; default: this one" }],
    options: {
      tag: {
        type: "text",
        short: "t",
        value: "NAME",
        summary: "Name of the image, such as web:v4; required",
      },
      file: {
        type: "text",
        short: "f",
        value: "FILE",
        source: "file",
        summary: "The Dockerfile; default: Dockerfile in the folder",
      },
      "build-arg": { type: "list", value: "NAME=VALUE", summary: "Set a build argument" },
      target: { type: "text", value: "STAGE", summary: "Build this stage" },
      platform: { type: "text", value: "PLATFORM", summary: "Build for this platform, such as linux/arm64" },
      method: {
        type: "text",
        choices: ["dockerfile"],
        summary: "How to build; default and only one: dockerfile",
      },
      push: { type: "flag", summary: "Push the image to the daemon's machine" },
      ...TO,
    },
    prints: ["image-built", "image-pushed", "operation", "detached"],
    examples: ["ployzctl build ./web -t web:v4 --push", "ployzctl build . -t web:v4 --to m1,m2"],
    run: async (context, input) => (await import("./build.ts")).build(context, input),
  },
];
