import type { Runtime } from "@ployz/runtime";
import type { Builds } from "../participant/update/builds.ts";
import type { Sender } from "../participant/volumes/send.ts";
import type { Bundles } from "./bundles.ts";
import type { TransferOptions } from "./server.ts";

interface Sources {
  readonly sender: Sender;
  readonly bundles: Bundles;
  readonly builds: Builds;
  readonly runtime: Runtime;
}

/** Where the bytes of an offer come from. */
export const offered =
  ({ sender, bundles, builds, runtime }: Sources): TransferOptions["open"] =>
  async (offer) => {
    if (offer.kind === "volume") return sender.open(offer);
    if (offer.kind === "payload") return builds.read();
    if (offer.kind === "bundle") return bundles.read(offer.digest);
    if (runtime.images === undefined) throw new Error("no images here");
    return runtime.images.export(offer.digest);
  };
