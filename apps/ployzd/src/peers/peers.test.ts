import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { errorBody, PloyzError } from "@ployz/errors";
import { createIdentity } from "@ployz/nats-store";
import { afterEach, describe, expect, it } from "vitest";
import { peerClient } from "./ask.ts";
import { type PeerHandlers, peerServer } from "./serve.ts";

const identities = { m1: createIdentity(), m2: createIdentity() };
const member = (id: string) => {
  const found = identities[id as keyof typeof identities];
  return found && { address: "127.0.0.1", nkey: found.publicKey };
};
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** m1's daemon as it should be; `seed` makes it another program that took its port. */
async function listen(handlers: Partial<PeerHandlers>, seed = identities.m1.seed): Promise<number> {
  const handle = peerServer({
    ...{ cluster: "c1", self: "m1", nkeySeed: seed, member, handlers: () => handlers, log: () => {} },
  });
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const client = (port: number, options: { readonly cluster?: string; readonly seed?: string } = {}) => {
  const { cluster = "c1", seed = identities.m2.seed } = options;
  return peerClient({ cluster, self: "m2", nkeySeed: seed, port, member });
};
const FENCE = { generation: 1, id: "one" };
const code = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => errorBody(error).code,
  );

describe("daemons that ask each other", () => {
  it("are answered, and told who asked", async () => {
    const heard: unknown[] = [];
    const port = await listen({
      "store.ready": async (args, from) => {
        heard.push(args, from);
        return { problems: ["none"] };
      },
    });
    expect(await client(port)("m1", "store.ready", { generation: 1 })).toEqual({ problems: ["none"] });
    expect(heard).toEqual([{ generation: 1 }, "m2"]);
  });

  it("are refused with arguments of another shape, and nothing was done", async () => {
    let done = 0;
    const port = await listen({ "store.fence": async () => void done++ });
    // @ts-expect-error the id of the re-founding is missing
    const asked = client(port)("m1", "store.fence", { generation: 1 });
    await expect(asked).rejects.toMatchObject({
      code: "invalid_input",
      message: expect.stringContaining("id"),
    });
    expect(done).toBe(0);
  });

  it("get the error of the other side", async () => {
    const port = await listen({
      "store.fence": async () => {
        throw new PloyzError({ code: "store_fence_lost", message: "no", hint: "start again" });
      },
    });
    const asked = client(port)("m1", "store.fence", FENCE);
    await expect(asked).rejects.toMatchObject({ code: "store_fence_lost", hint: "start again" });
    // @ts-expect-error no daemon has such a command
    expect(await code(client(port)("m1", "store.other", null))).toBe("no_such_command");
  });

  it("are refused with another key, as another cluster's, and nothing was done", async () => {
    let done = 0;
    const port = await listen({ "store.fence": async () => void done++ });
    expect(await code(client(port, { seed: createIdentity().seed })("m1", "store.fence", FENCE))).toBe(
      "machine_unreachable",
    );
    expect(await code(client(port, { cluster: "c2" })("m1", "store.fence", FENCE))).toBe(
      "machine_unreachable",
    );
    expect(done).toBe(0);
  });

  it("refuse a caller without the other's key", async () => {
    const port = await listen(
      { "store.where": async () => ({ generation: 99, servers: [] }) },
      createIdentity().seed,
    );
    expect(await code(client(port)("m1", "store.where", null))).toBe("machine_unreachable");
  });
});
