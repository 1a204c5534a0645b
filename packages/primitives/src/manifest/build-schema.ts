import Type from "typebox";
import { LIMITS } from "../model/limits.ts";
import * as patterns from "../model/patterns.ts";

/** A folder, or a table with it. */
type BuildValue =
  | string
  | {
      readonly context: string;
      readonly dockerfile?: string;
      readonly args?: Readonly<Record<string, string>>;
      readonly target?: string;
    };

/** One schema with two types rather than a union of two: its errors are about the intended one. */
export const build = Type.Unsafe<BuildValue>({
  type: ["string", "object"],
  pattern: patterns.BUNDLE_PATH,
  properties: {
    context: Type.String({ pattern: patterns.BUNDLE_PATH, description: "The folder to build." }),
    dockerfile: Type.String({
      pattern: patterns.BUNDLE_PATH,
      description: "Relative to the folder. Default `Dockerfile`.",
    }),
    args: Type.Record(Type.String(), Type.String({ pattern: patterns.NO_NUL, maxLength: LIMITS.word }), {
      propertyNames: { pattern: patterns.ENV_NAME },
      maxProperties: 1000,
      description: "Build arguments.",
    }),
    target: Type.String({ pattern: patterns.BUILD_TARGET, description: "The stage to build." }),
  },
  required: ["context"],
  additionalProperties: false,
  description:
    "A folder with a Dockerfile, relative to the manifest: `ployzctl deploy` builds it, pushes the image and deploys it by its digest. Or a table with `context`, `dockerfile`, `args`, `target`.",
});
