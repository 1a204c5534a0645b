import type { Body } from "./bodies.ts";

export type SecretSet = Body<"PUT /v1/secrets/:ns/:name">;

/** A secret without its value. */
export type SecretRow = {
  readonly namespace: string;
  readonly name: string;
  /** `lost`: the store was recovered without secrets; it has to be set again. */
  readonly state: "set" | "lost";
  readonly version: string;
  readonly at: string;
  readonly by: string;
  readonly private: boolean;
  /** Services and jobs that have it, those of branches among them: `prod/web`. */
  readonly users: readonly string[];
  /** Instances, by id, that were started with another version. */
  readonly outdated: readonly string[];
};
export type SecretList = { readonly kind: "secrets"; readonly secrets: readonly SecretRow[] };
/** `changed`: false when that was its value already, or there was none to remove. */
export type SecretChanged = {
  readonly kind: "secret-set" | "secret-removed";
  readonly namespace: string;
  readonly name: string;
  readonly changed: boolean;
  readonly users: readonly string[];
  readonly outdated: readonly string[];
};
