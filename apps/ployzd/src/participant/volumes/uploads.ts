import { Readable } from "node:stream";
import type { VolumeFile } from "@ployz/primitives/client";
import type { Commands } from "@ployz/primitives/protocol";
import type { CommandContext, Handlers } from "../handlers.ts";
import type { Sender } from "./send.ts";

export interface UploadedPart {
  readonly file: VolumeFile;
  readonly stream: AsyncIterable<Buffer>;
}

/** Volume files that operators are uploading. A puller sees those of one upload as a copy with a snapshot of each, which can be read once, in their order. */
export interface Uploads {
  add(parts: readonly UploadedPart[]): { readonly id: string; remove(): void };
  snapshots(id: string): Commands["volume.snapshots"]["out"];
  /** A machine's sends, including these uploads. */
  sender(own: Sender): Sender;
}

export function openUploads(newId: () => string): Uploads {
  const present = new Map<string, { readonly files: readonly VolumeFile[]; left: readonly UploadedPart[] }>();
  return {
    add(parts) {
      const id = `upload-${newId().toLowerCase()}`;
      present.set(id, { files: parts.map(({ file }) => file), left: parts });
      return { id, remove: () => void present.delete(id) };
    },
    snapshots(id) {
      const upload = present.get(id);
      if (upload === undefined) return null;
      return {
        snapshots: upload.files.map(({ snapshot, exportedAt }) => ({
          ...snapshot,
          ...{ createdAt: exportedAt, usedBytes: 0 },
        })),
      };
    },
    sender: (own) => ({
      ...own,
      async prepare(offer) {
        const upload = present.get(offer.id);
        if (upload === undefined) return own.prepare(offer);
        const [next] = upload.left;
        if (
          next === undefined ||
          next.file.snapshot.name !== offer.snapshot ||
          next.file.base?.name !== offer.base
        )
          return null;
        const { bytes } = next.file;
        const open = async () => {
          if (upload.left[0] !== next) throw new Error(`${offer.id} was already sent`);
          upload.left = upload.left.slice(1);
          return Readable.from(next.stream, { objectMode: false });
        };
        return { ...(bytes !== undefined && { bytes }), open };
      },
    }),
  };
}

/** Volume commands, for which uploads look like any copy. */
export const withUploads = <H extends Pick<Handlers, "volume.snapshots">>(own: H, uploads: Uploads): H => ({
  ...own,
  "volume.snapshots": async (args: Commands["volume.snapshots"]["args"], context: CommandContext) =>
    uploads.snapshots(args.id) ?? own["volume.snapshots"](args, context),
});
