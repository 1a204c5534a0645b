import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { errorBody } from "@ployz/errors";
import { createIdentity } from "@ployz/nats-store";
import type { Json } from "@ployz/primitives";
import { afterEach, describe, expect, it } from "vitest";
import { PloyzError } from "../error-codes.ts";
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
async function listen(handlers: PeerHandlers, seed = identities.m1.seed): Promise<number> {
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
const code = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => errorBody(error).code,
  );

describe("daemons that ask each other", () => {
  it("are answered, and told who asked", async () => {
    const port = await listen({ "store.look": async (args: Json, from) => ({ args, from }) });
    expect(await client(port)("m1", "store.look", { n: 1 })).toEqual({ args: { n: 1 }, from: "m2" });
  });

  it("get the error of the other side", async () => {
    const port = await listen({
      "store.fence": async () => {
        throw new PloyzError({ code: "store_fence_lost", message: "no", hint: "start again" });
      },
    });
    const asked = client(port)("m1", "store.fence", null);
    await expect(asked).rejects.toMatchObject({ code: "store_fence_lost", hint: "start again" });
    expect(await code(client(port)("m1", "store.other", null))).toBe("no_such_command");
  });

  it("are refused with another key, as another cluster's, and nothing was done", async () => {
    let done = 0;
    const port = await listen({ "store.fence": async () => void done++ });
    expect(await code(client(port, { seed: createIdentity().seed })("m1", "store.fence", null))).toBe(
      "machine_unreachable",
    );
    expect(await code(client(port, { cluster: "c2" })("m1", "store.fence", null))).toBe(
      "machine_unreachable",
    );
    expect(done).toBe(0);
  });

  it("believe nobody who does not have the other's key", async () => {
    const port = await listen({ "store.where": async () => ({ generation: 99 }) }, createIdentity().seed);
    expect(await code(client(port)("m1", "store.where", null))).toBe("machine_unreachable");
  });
});
