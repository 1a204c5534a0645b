import { expect, test } from "vitest";
import type { Asked } from "../api.ts";

test("an operation is asked with its own primitive's fields; the compiler refuses any other", () => {
  const good: Asked = { primitive: "branch", input: { source: "prod", target: "pr-42" } };
  // @ts-expect-error the field is called target
  const misspelt: Asked = { primitive: "branch", input: { source: "prod", taget: "pr-42" } };
  // @ts-expect-error the input is that of another primitive
  const swapped: Asked = { primitive: "branch", input: { namespace: "prod" } };
  // @ts-expect-error there is no such primitive
  const unknown: Asked = { primitive: "brunch", input: { source: "prod", target: "pr-42" } };
  expect([good, misspelt, swapped, unknown]).toHaveLength(4);
});
