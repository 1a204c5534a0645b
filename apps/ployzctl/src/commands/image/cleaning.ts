import type { Command, Option } from "../../command.ts";
import { CHANGE, PREVIEW, YES } from "../../flags.ts";
import { needLabel } from "../../names.ts";

const MACHINE: Readonly<Record<string, Option>> = {
  machine: { type: "text", value: "MACHINE", source: "machine", summary: "Only this machine" },
};
const ALL: Readonly<Record<string, Option>> = {
  all: { type: "flag", short: "a", summary: "Ignore the retention" },
};

/** What takes space, and how it goes. */
export const cleaningCommands: readonly Command[] = [
  {
    path: ["image", "status"],
    summary: "Show the space of images on each machine, and how much prune would free",
    details: [
      "Nothing that a commit within the retention, an instance, a prepared plan or an unfinished operation needs is ever removed. The retention of each machine's configuration holds the rest for a while: the newest images of each name, and young ones.",
    ],
    options: {
      ...MACHINE,
      digest: { type: "text", value: "DIGEST", summary: "Only this image: its digest, or its name" },
      ...ALL,
    },
    prints: ["image-status"],
    examples: ["ployzctl image status", "ployzctl image status --digest sha256:0123456789ab --machine m1"],
    async run(context, input) {
      const machine = input.text("machine");
      const ref = input.text("digest");
      return (await context.client()).request("GET /v1/images/usage", {
        query: {
          ...(machine !== undefined && { machine: await needLabel("--machine", machine) }),
          ...(ref !== undefined && { ref }),
          ...(input.flag("all") && { all: "true" as const }),
        },
        signal: context.signal,
      });
    },
  },
  {
    path: ["image", "inspect"],
    summary: "Show an image: its platform, program, layers, machines and users",
    args: [{ name: "ref", summary: "Its name, its digest, or the beginning of its digest", required: true }],
    prints: ["image"],
    examples: ["ployzctl image inspect web:v4"],
    run: async (context, input) =>
      (await context.client()).request("GET /v1/images/inspect", {
        query: { ref: input.argument("ref") ?? "" },
        signal: context.signal,
      }),
  },
  {
    path: ["image", "rm"],
    summary: "Remove an image from machines",
    details: [
      "A name goes, and with its last name the image; a digest stands for the image and all its names. An image that something needs is refused. Docker keeps images that Ployz has not given it.",
    ],
    args: [{ name: "ref", summary: "Its name, its digest, or the beginning of its digest", required: true }],
    options: { ...MACHINE, ...PREVIEW, ...YES },
    prints: CHANGE,
    examples: ["ployzctl image rm web:v3", "ployzctl image rm web:v3 --machine m1 -n"],
    async run(context, input) {
      const ref = input.argument("ref") ?? "";
      const { changeAfterAsking } = await import("../../operation/change.ts");
      const asked = {
        primitive: "image-rm",
        input: { ref, ...(await onMachine(input.text("machine"))) },
      } as const;
      return changeAfterAsking(context, asked, { input, question: `Remove the image ${ref}?` });
    },
  },
  {
    path: ["image", "prune"],
    summary: "Remove images, layers and bundles that nothing needs",
    details: [
      "Removes images and bundles beyond the retention of each machine's configuration; the end of operations does the same. With --all everything that nothing needs goes: a manifest that names it then needs another push or pull.",
    ],
    options: { ...ALL, ...MACHINE, ...PREVIEW, ...YES },
    prints: CHANGE,
    examples: ["ployzctl image prune -n", "ployzctl image prune --all"],
    async run(context, input) {
      const all = input.flag("all");
      const asked = {
        primitive: "image-prune",
        input: { ...(all && { all }), ...(await onMachine(input.text("machine"))) },
      } as const;
      const { change, changeAfterAsking } = await import("../../operation/change.ts");
      if (!all) return change(context, asked, input.flag("preview"));
      return changeAfterAsking(context, asked, { input, question: "Remove everything that nothing needs?" });
    },
  },
];

const onMachine = async (machine: string | undefined): Promise<{ readonly machines?: string[] }> =>
  machine === undefined ? {} : { machines: [await needLabel("--machine", machine)] };
