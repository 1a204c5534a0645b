import { volumeContract } from "@ployz/primitives/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPair, openPool, type Zpool } from "./volume-machine.ts";

if (process.env.PLOYZ_PLOYZD_LAB !== "1") throw new Error("run through test/lab.sh: pnpm test:lab");

let zpool: Zpool;
beforeAll(async () => {
  zpool = await openPool("vols");
});
afterAll(() => zpool.close());

const runnable = {
  ...{ namespace: "ns", service: "db", slot: 0, revision: "r1", operation: "01HZX0000000000000000000OP" },
  ...{ kind: "service" as const, env: {}, stopGraceMs: 1_000, command: ["sleep", "1000"] },
};

volumeContract(
  async () => {
    const { a, b, machines, close } = await openPair(zpool, "vols");
    return { machines, ids: [a.id, b.id], runnable, close };
  },
  { describe, it, expect },
);
