import type { ImageList, ImagePushed } from "../../api.ts";
import { ago, bytes, lines, type Page, table } from "../page.ts";

const short = (digest: string): string => digest.slice(0, "sha256:".length + 12);

export function imagesPage({ images, silent }: ImageList, now: number): Page {
  return [
    table(
      "image",
      ["IMAGE", "DIGEST", "SIZE", "NAMED", "MACHINES", "USED BY"],
      images.map(({ names, digest, sizeBytes, at, machines, users }) => [
        names.length === 0 ? { text: "-", tone: "dim" } : names.join(" "),
        short(digest),
        bytes(sizeBytes),
        at === undefined ? "-" : ago(at, now),
        machines.join(" "),
        users.length === 0 ? { text: "-", tone: "dim" } : users.join(" "),
      ]),
      { empty: "no images; give the cluster one: ployzctl image push NAME", drop: ["NAMED", "SIZE"] },
    ),
    ...silent.map(({ machine, error }) =>
      lines({ text: `machine ${machine} does not answer: ${error.message}`, tone: "warn" }),
    ),
  ];
}

export function pushedPage({ name, digest, sizeBytes, machine }: ImagePushed): Page {
  return [
    lines(
      { text: `pushed ${name ?? "an image without a name"} to ${machine}`, tone: "ok" },
      `${digest}, ${bytes(sizeBytes)}`,
    ),
  ];
}
