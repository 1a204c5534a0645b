import { PloyzError } from "@ployz/errors";
import type { MachineRecord } from "@ployz/primitives/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AskPeer } from "../peers/ask.ts";
import { remoteKeeper } from "./peers.ts";

const members = () => ["m1", "m2", "m3"].map((id) => ({ id, store: id !== "m3" }) as MachineRecord);
const fails = (code: string) => new PloyzError({ code, message: `${code} there` });

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** A keeper of m3 whose holders answer so, after so many milliseconds; and the holders called. */
function keeper(answers: Readonly<Record<string, { readonly ms?: number; readonly error?: PloyzError }>>) {
  const asked: string[] = [];
  const ask = (async (id: string) => {
    asked.push(id);
    const { ms = 0, error } = answers[id] ?? {};
    vi.advanceTimersByTime(ms);
    if (error !== undefined) throw error;
    return [id];
  }) as AskPeer;
  return { asked, held: () => remoteKeeper({ ask, self: "m3", members }).held() };
}

test("the first holder that answers is enough", async () => {
  const { asked, held } = keeper({});
  expect([await held(), asked]).toEqual([["m1"], ["m1"]]);
});

test.each(["machine_unreachable", "not_a_store_machine", "store_unavailable"])(
  "after %s, said at once, the next one is asked",
  async (code) => {
    const { asked, held } = keeper({ m1: { error: fails(code) } });
    expect([await held(), asked]).toEqual([["m2"], ["m1", "m2"]]);
  },
);

test("a store that one has waited for in vain is not waited for again", async () => {
  const { asked, held } = keeper({ m1: { ms: 15_000, error: fails("store_unavailable") } });
  await expect(held()).rejects.toMatchObject({ code: "store_unavailable" });
  expect(asked).toEqual(["m1"]);
});

test("an error of the secret itself is passed on unchanged", async () => {
  const { asked, held } = keeper({ m1: { error: fails("secret_lost") } });
  await expect(held()).rejects.toMatchObject({ code: "secret_lost" });
  expect(asked).toEqual(["m1"]);
});
