import type { Command, Option } from "../../command.ts";
import { listOperations, OPERATION, showOperation } from "../ops/read.ts";
import { cleaningCommands } from "./cleaning.ts";
import { TO } from "./flags.ts";

const ref = {
  name: "ref",
  summary: "The image: its name, such as web:v4, or its digest",
  required: true,
} as const;
const PREVIEW: Readonly<Record<string, Option>> = {
  preview: { type: "flag", short: "n", summary: "Show the plan and change nothing" },
};

export const imageCommands: readonly Command[] = [
  {
    path: ["image", "push"],
    summary: "Copy an image of the local Docker, or an archive, to the cluster",
    details: [
      "No registry is needed. The image goes to the daemon's machine, and with --to or --all from there to others. A manifest then finds it by its name; a later push of the same name replaces that meaning, and what runs keeps its digest.",
      "An archive is what docker save writes, or a tar of an OCI image layout.",
    ],
    args: [{ name: "name", summary: "The image's name; with --archive it may be left out" }],
    options: {
      archive: {
        type: "text",
        value: "FILE",
        source: "file",
        summary: "Read an archive instead of the local Docker",
      },
      ...TO,
    },
    prints: ["image-pushed", "operation", "detached"],
    examples: ["ployzctl image push web:v4 --to m1,m2", "ployzctl image push --archive web.tar"],
    run: async (context, input) => (await import("./push.ts")).push(context, input),
  },
  {
    path: ["image", "pull"],
    summary: "Copy an image from its registry to machines",
    details: ["One machine pulls from the registry; the others get it from that one."],
    args: [ref],
    options: { ...TO, ...PREVIEW },
    prints: ["operation", "plan", "detached"],
    examples: ["ployzctl image pull ghcr.io/acme/web:v4 --to m1,m2"],
    run: async (context, input) => (await import("./distribute.ts")).distribute(context, input, "always"),
  },
  {
    path: ["image", "distribute"],
    summary: "Copy an image from the machines that have it to others",
    details: [
      "Only the parts that a machine lacks are sent, several at once, and a machine that has got a part sends it to the others. Run the same command again after an interruption: it continues at the last byte.",
    ],
    args: [ref],
    options: { ...TO, ...PREVIEW },
    prints: ["operation", "plan", "detached"],
    examples: ["ployzctl image distribute web:v4 --to m1,m2,m3", "ployzctl image distribute web:v4 --all"],
    run: async (context, input) => (await import("./distribute.ts")).distribute(context, input, "never"),
  },
  {
    path: ["image", "ls"],
    summary: "List images: their digests, the machines that have them, who uses them",
    options: {
      machine: { type: "text", value: "MACHINE", source: "machine", summary: "Only this machine's images" },
    },
    prints: ["images"],
    examples: ["ployzctl image ls"],
    async run(context, input) {
      const machine = input.text("machine");
      return (await context.client()).request("GET /v1/images", {
        query: machine === undefined ? {} : { machine },
        signal: context.signal,
      });
    },
  },
  ...cleaningCommands,
  {
    path: ["image", "operation", "ls"],
    summary: "List operations on images, newest first",
    options: { limit: { type: "number", value: "N", summary: "Number of operations; default 20" } },
    prints: ["operations"],
    examples: ["ployzctl image operation ls"],
    run: (context, input) => listOperations(context, input, ["image-distribute", "image-rm", "image-prune"]),
  },
  {
    path: ["image", "operation", "show"],
    aliases: [["image", "operation", "get"]],
    summary: "Show one of them step by step",
    args: [OPERATION],
    prints: ["operation-detail"],
    examples: ["ployzctl image operation show 01M849JKMJKJNHP441C7VF0Z2Q"],
    run: showOperation,
  },
];
