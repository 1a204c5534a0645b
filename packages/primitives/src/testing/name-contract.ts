import type { Store } from "../ports/store.ts";
import type { TestApi } from "./contract.ts";

type Test = (name: string, body: (store: Store) => Promise<void>) => void;

/** Names that no store takes: a subject of NATS would mean something else by them. */
export function nameContract(test: Test, { describe, expect }: TestApi): void {
  describe("store contract: names", () => {
    test("that are empty or have a wildcard are neither read nor written", async ({ facts, commits }) => {
      const refused = async (work: () => Promise<unknown>) => {
        const error = await work().then(() => undefined, String);
        expect(error?.includes("is not a valid name in the store")).toBe(true);
      };
      for (const key of ["subnet.", "subnet.*", "subnet.>", "subnet.a b"] as const) {
        await refused(() => facts.get(key));
        await refused(() => facts.put(key, { machine: "m1", operation: "OP" }, 0));
      }
      await refused(() => commits.last(""));
    });
  });
}
