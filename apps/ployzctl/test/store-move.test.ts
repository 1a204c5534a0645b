import { afterEach, describe, expect, it } from "vitest";
import { Events, type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

let daemon: FakeDaemon | undefined;
afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
});

const moved = {
  ...{ kind: "store-moved", action: "promote", changed: true, generation: 2, pauseMs: 12 },
  ...{ machines: ["m1", "m2", "m3"], previous: ["m1"], notOpen: [], notRetired: [], unaware: [] },
};

describe("Ctrl-C while the store moves", () => {
  async function pressed(presses: number, end?: unknown) {
    let press = () => {};
    async function* events() {
      yield { type: "waiting", what: "the new servers" };
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (let i = 0; i < presses; i++) press();
      if (end === undefined) await new Promise(() => {});
      yield end;
    }
    daemon = await fakeDaemon({ "POST /v1/store/move": () => new Events(events()) });
    const argv = ["machine", "storage", "promote", "--replicas", "3", "m1", "m2", "m3", "--json"];
    const { code, out } = await ctl([...argv, "--socket", daemon.socket], {
      onInterrupt: (listener) => {
        press = listener;
      },
    });
    return { code, document: JSON.parse(out) };
  }

  it("once waits for the end, and tells it", async () => {
    expect(await pressed(1, { type: "store-moved", moved })).toEqual({ code: 0, document: moved });
  });

  it("twice detaches, and says that the move is still running", async () => {
    expect(await pressed(2)).toMatchObject({
      code: 4,
      document: { kind: "error", error: { code: "detached", hint: "ployzctl store status" } },
    });
  });
});
