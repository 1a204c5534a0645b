import { type AddressInfo, createServer } from "node:net";
import { expect, it } from "vitest";
import { dialJoinPort } from "./dial.ts";

it("a port that says nothing, and one that closes, are given up", async () => {
  const ask = async (closes: boolean, within: AbortSignal, signal = new AbortController().signal) => {
    const server = createServer((socket) => void (closes && socket.end()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const dialled = dialJoinPort(`127.0.0.1:${port}`, { connecting: within, signal });
    return dialled.then(() => "dialled", String).finally(() => server.close());
  };
  const never = new AbortController().signal;
  expect(await ask(false, AbortSignal.timeout(20))).toContain("no answer");
  expect(await ask(false, never, AbortSignal.timeout(20))).toContain("aborted");
  expect(await ask(true, never)).toContain("Error");
});
