import { object, text } from "@ployz/primitives/documents";
import Type, { type Static } from "typebox";

/** An image that was built and not pushed. */
export const ImageBuilt = object({ kind: Type.Literal("image-built"), name: text(), builder: text() });
export type ImageBuilt = Static<typeof ImageBuilt>;
