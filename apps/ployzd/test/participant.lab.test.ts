import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorBody } from "@ployz/errors";
import { participantContract } from "@ployz/primitives/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPair, openPool, type Zpool } from "./volume-machine.ts";

if (process.env.PLOYZ_PLOYZD_LAB !== "1") throw new Error("run through test/lab.sh: pnpm test:lab");

let zpool: Zpool;
beforeAll(async () => {
  zpool = await openPool("part");
});
afterAll(() => zpool.close());

const runnable = {
  ...{ namespace: "ns", service: "web", slot: 0, revision: "r1", operation: "01HZX0000000000000000000OP" },
  ...{ kind: "service" as const, env: {}, stopGraceMs: 1_000, command: ["sleep", "1000"] },
};
const secret = { namespace: "ns", name: "db-url", version: "1" };

participantContract(
  async () => {
    const { a, machines, close } = await openPair(zpool, "part");
    return { machines, id: a.id, runnable, secret, close };
  },
  { describe, it, expect },
);

it("an instance has what its secrets hold in its environment, and the machine keeps that for root only", async () => {
  const { a, machines, close } = await openPair(zpool, "part");
  try {
    const options = {
      ...{ timeoutMs: 20_000, signal: new AbortController().signal, operation: runnable.operation },
      fence: { scope: "place.ns", generation: 1, revision: 1 },
    };
    const id = "ns.web.0.aaaaaaaa";
    const secrets = { DATABASE_URL: secret };
    const call = <N extends Parameters<typeof machines.call>[1]>(command: N, args: never) =>
      machines.call(a.id, command, args, options);
    const { address } = (await call("instance.reserve", { id } as never)) as { readonly address: string };
    await call("instance.secrets", { id, secrets } as never);
    const command = ["sh", "-c", 'echo "has $DATABASE_URL"; exec sleep 1000'];
    await call("instance.start", { ...runnable, command, id, address, secrets } as never);
    await expect
      .poll(
        async () => (await call("instance.logs", { id, tail: 10 } as never)) as { lines: readonly string[] },
      )
      .toEqual({ lines: ["has value of db-url"] });
    const folder = join(a.dir, "secrets");
    const [file = ""] = await readdir(folder);
    expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);

    // Another daemon on the machine: it restarts the instance from this machine's records.
    await a.restart();
    const other = { DATABASE_URL: { ...secret, name: "other" } };
    const code = await call("instance.start", {
      ...{ ...runnable, id: "ns.web.1.aaaaaaaa", address, secrets: other },
    } as never).catch((error: unknown) => errorBody(error).code);
    expect(code).toBe("secrets_missing");
    await call("instance.remove", { id } as never);
    expect(await readdir(folder)).toEqual([]);
  } finally {
    await close();
  }
});
