import { expect, test } from "vitest";
import { openClockCheck, verdictOf } from "./clocks.ts";

test.each([
  [{ agree: 1, differ: 0, open: 0 }, 1, "sure"],
  [{ agree: 0, differ: 1, open: 0 }, 1, "off"],
  [{ agree: 0, differ: 0, open: 0 }, 1, "unsure"],
  [{ agree: 2, differ: 0, open: 1 }, 3, "sure"],
  [{ agree: 1, differ: 0, open: 2 }, 3, undefined],
  [{ agree: 1, differ: 2, open: 0 }, 3, "off"],
  [{ agree: 1, differ: 1, open: 0 }, 3, "off"],
  [{ agree: 1, differ: 0, open: 0 }, 3, "unsure"],
  [{ agree: 2, differ: 1, open: 2 }, 5, undefined],
  [{ agree: 2, differ: 1, open: 0 }, 5, "unsure"],
])("%j of %d store machines is %s", (seen, size, verdict) => {
  expect(verdictOf(seen, size)).toBe(verdict);
});

function check(clocks: Readonly<Record<string, () => number | undefined>>, self: string) {
  const at = { wall: 1_000_000, elapsed: 0 };
  const asked: string[] = [];
  const reports: string[] = [];
  const pass = (ms: number) => {
    at.wall += ms;
    at.elapsed += ms;
  };
  const verdict = openClockCheck({
    ...{ self, now: () => at.wall, elapsed: () => at.elapsed },
    storeMachines: () => Object.keys(clocks),
    async clockOf(machine) {
      asked.push(machine);
      const read = clocks[machine]?.();
      if (read === undefined) throw new Error("silent");
      return at.wall + read;
    },
    report: (one) => reports.push(one),
  });
  return { at, asked, reports, pass, verdict };
}

test("a machine whose clock is set an hour ahead notices it at once, and that it is right again", async () => {
  const skew = { of: 0 };
  const { at, asked, reports, pass, verdict } = check(
    { m1: () => 0, m2: () => skew.of, m3: () => skew.of },
    "m1",
  );
  expect(await verdict()).toBe("sure");
  pass(20_000);
  expect(await verdict()).toBe("sure");
  expect(asked).toEqual(["m2", "m3"]);
  at.wall += 3_600_000;
  skew.of = -3_600_000;
  expect(await verdict()).toBe("off");
  at.wall -= 3_600_000;
  skew.of = 0;
  expect(await verdict()).toBe("sure");
  expect(reports).toEqual(["off", "sure"]);
});

test("machines that are silent hold nothing up, and a majority does not wait for them", async () => {
  expect(await check({ m1: () => 0, m2: () => undefined, m3: () => 4_000 }, "m1").verdict()).toBe("sure");
  expect(await check({ m1: () => 0, m2: () => undefined, m3: () => undefined }, "m1").verdict()).toBe(
    "unsure",
  );
  expect(await check({ m1: () => -6_000 }, "m4").verdict()).toBe("off");
});
