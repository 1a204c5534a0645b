import type { GenerationRecord, Session } from "@ployz/nats-store";
import { describe, expect, it } from "vitest";
import type { AskPeer } from "../peers/ask.ts";
import type { Look } from "../peers/commands.ts";
import { closeWhenAllKnow } from "./closing.ts";

const server = (machine: string) => ({ machine, host: "10.101.0.1", port: 6222 });
const set = { id: "r1", secret: "", servers: [server("m1"), server("m2"), server("m3")] };

async function closing(
  entry: Partial<GenerationRecord>,
  looks: Readonly<Record<string, Partial<Look> | undefined>> = {},
  sealKey: string | null = "key",
) {
  const asked: string[] = [];
  const closed: string[] = [];
  const ask = (async (id: string) => {
    asked.push(id);
    if (looks[id] === undefined) throw new Error(`${id} is away`);
    return looks[id];
  }) as AskPeer;
  const generations: readonly GenerationRecord[] = [{ generation: 2, state: "serving", ...entry }];
  const done = await closeWhenAllKnow({
    ...{ self: "m1", ask, session: { generation: () => 2 } as Session },
    local: {
      sealKey: async () => sealKey ?? undefined,
      record: async () => ({ cluster: "c", server: "m1", generation: 2, generations }),
    },
    close: async (_session, key) => {
      closed.push(key);
      return { changed: true };
    },
  });
  return { done, asked: asked.sort(), closed };
}

describe("closeWhenAllKnow", () => {
  it("closes the secrets of a single store machine at once", async () => {
    expect(await closing({})).toEqual({ done: true, asked: [], closed: ["key"] });
  });

  it("closes those of three when both other daemons know it, and not beside an older one", async () => {
    const known = { closesSecrets: true } as const;
    expect(await closing({ routes: set }, { m2: known, m3: known })).toEqual({
      ...{ done: true, asked: ["m2", "m3"], closed: ["key"] },
    });
    expect(await closing({ routes: set }, { m2: known, m3: {} })).toMatchObject({ done: false, closed: [] });
    await expect(closing({ routes: set }, { m2: known })).rejects.toThrow("m3 is away");
  });

  it("leaves a store alone that is fenced, of another generation, or older than secrets", async () => {
    expect(await closing({ state: "fenced" })).toMatchObject({ done: false, closed: [] });
    expect(await closing({ generation: 1 })).toMatchObject({ done: false, closed: [] });
    expect(await closing({}, {}, null)).toMatchObject({ done: false, closed: [] });
  });
});
