import Type from "typebox";
import { list, object, text } from "../model/schema.ts";

/** `code` and `about` name the condition, whatever the message counts. Absent: a daemon from before 0.5. */
export const warnings = list(
  object({ code: Type.Optional(text()), about: Type.Optional(text()), message: text(), hint: text() }),
);
