import { describe, expect, it } from "vitest";
import { probePath, tunnelMtu } from "./mtu.ts";

describe("tunnelMtu", () => {
  it.each([
    [[], 1420],
    [[1500], 1420],
    [[1460], 1380],
    [[1500, 1450], 1370],
    [[9001], 1420],
    [[1300], 1280],
  ])("leaves of %j %i", (links, mtu) => {
    expect(tunnelMtu(links)).toBe(mtu);
  });
});

it("probePath: the kernel answers", async () => {
  await expect(probePath("127.0.0.1", 1420)).resolves.toBe("passes");
  await expect(probePath("127.0.0.1", 1420, { signal: AbortSignal.abort() })).rejects.toThrow();
});
