import Type from "typebox";
import { LIMITS } from "./limits.ts";
import * as patterns from "./patterns.ts";

/** Fields that many documents have. What each pattern allows stands beside it. */
const text = (pattern: string) => (description?: string) =>
  Type.String({ pattern, ...(description !== undefined && { description }) });

/** Names of namespaces, services, jobs, volumes and machines. */
export const label = text(patterns.NAME);
/** A region or a zone. */
export const place = text(patterns.PLACE);
/** Labels of a machine, by key: placement only. */
export const machineLabels = (description: string) =>
  Type.Record(Type.String(), Type.String({ pattern: patterns.LABEL_VALUE }), {
    propertyNames: { pattern: patterns.LABEL_KEY },
    maxProperties: LIMITS.labels,
    description,
  });
/** A volume of a namespace: NAMESPACE/VOLUME. */
export const volumeName = text(patterns.VOLUME);

export const runtime = Type.Enum(["docker", "process"], {
  description: "docker or process; without it, Docker where it runs",
});

/** Where peers may reach a machine, best first. */
export const endpoints = (minItems: number) =>
  Type.Array(Type.String({ pattern: patterns.ENDPOINT }), {
    minItems,
    maxItems: 32,
    description: "a list of at most 32 such as 203.0.113.7:51820",
  });

export const bytes = (description: string, minimum = 1) =>
  Type.Integer({ minimum, maximum: LIMITS.size, description });

/** Who asked, `user@machine`: for people only. It is stored and printed, see `printable`. */
export const by = Type.String({ description: "who asks: user@machine" });

/** Names to something about what has the name. */
export const byName = <T extends Type.TSchema>(value: T, description: string) =>
  Type.Record(Type.String(), value, {
    propertyNames: { pattern: patterns.NAME },
    maxProperties: 1000,
    description,
  });
