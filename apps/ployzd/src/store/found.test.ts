import { PloyzError } from "@ployz/errors";
import { describe, expect, it } from "vitest";
import type { AskPeer } from "../peers/ask.ts";
import { presentKey } from "./found.ts";

/** What each machine answers: a key, that it has none, or the code of an error. */
const asking = (
  answers: Readonly<Record<string, { readonly key: string | null } | { readonly code: string }>>,
) =>
  (async (machine) => {
    const answer = answers[machine] ?? { code: "no_such_machine" };
    if ("key" in answer) return answer.key;
    throw new PloyzError({ code: answer.code, message: `${machine} failed` });
  }) as AskPeer;
const key = (answers: Parameters<typeof asking>[0]) => presentKey(asking(answers), Object.keys(answers));

describe("the key of the secrets", () => {
  it("is taken from whichever machine of the set can say it", async () => {
    const m1 = { code: "machine_unreachable" };
    expect(await key({ m1, m2: { key: null }, m3: { key: "k" } })).toBe("k");
  });

  it("is a new one only if no machine can have one", async () => {
    expect(await key({})).toBeUndefined();
    expect(await key({ m1: { key: null }, m2: { code: "no_such_command" } })).toBeUndefined();
  });

  it("is never replaced because a machine that may have it could not be asked", async () => {
    const m1 = { code: "machine_unreachable" };
    await expect(key({ m1 })).rejects.toMatchObject(m1);
    await expect(key({ m1, m2: { key: null } })).rejects.toMatchObject(m1);
  });
});
