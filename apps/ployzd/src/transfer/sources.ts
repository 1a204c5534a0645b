import type { Runtime } from "@ployz/runtime";
import type { Sender } from "../participant/volumes/send.ts";
import type { Bundles } from "./bundles.ts";
import type { TransferOptions } from "./server.ts";

/** Where the bytes of an offer come from. */
export const offered =
  (sender: Sender, bundles: Bundles, runtime: Runtime): TransferOptions["open"] =>
  async (offer) => {
    if (offer.kind === "volume") return sender.open(offer);
    if (offer.kind === "bundle") return bundles.read(offer.digest);
    if (runtime.images === undefined) throw new Error("no images here");
    return runtime.images.export(offer.digest);
  };
