import { Readable } from "node:stream";
import type { VolumeFile } from "@ployz/primitives/client";
import type { Commands } from "@ployz/primitives/protocol";
import type { CommandContext, Handlers } from "../handlers.ts";
import type { Sender } from "./send.ts";

/** Volume files that operators are uploading. A puller sees each as a copy with one snapshot, which can be read once. */
export interface Uploads {
  add(file: VolumeFile, stream: AsyncIterable<Buffer>): { readonly id: string; remove(): void };
  snapshots(id: string): Commands["volume.snapshots"]["out"];
  /** A machine's sends, including these uploads. */
  sender(own: Sender): Sender;
}

export function openUploads(newId: () => string): Uploads {
  const present = new Map<string, { readonly file: VolumeFile; stream?: AsyncIterable<Buffer> }>();
  return {
    add(file, stream) {
      const id = `upload-${newId().toLowerCase()}`;
      present.set(id, { file, stream });
      return { id, remove: () => void present.delete(id) };
    },
    snapshots(id) {
      const upload = present.get(id);
      if (upload === undefined) return null;
      const { snapshot, exportedAt } = upload.file;
      return { snapshots: [{ ...snapshot, createdAt: exportedAt, usedBytes: 0 }] };
    },
    sender: (own) => ({
      ...own,
      async prepare(offer) {
        const upload = present.get(offer.id);
        if (upload === undefined) return own.prepare(offer);
        if (upload.stream === undefined) return null;
        const { bytes } = upload.file;
        const open = async () => {
          const { stream } = upload;
          if (stream === undefined) throw new Error(`${offer.id} was already sent`);
          delete upload.stream;
          return Readable.from(stream, { objectMode: false });
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
