import { describe, expect, it } from "vitest";
import { secretKey } from "../model/secret.ts";
import { createVirtualClock } from "./clock.ts";
import { createMemoryMachines } from "./memory-machines.ts";
import { createMemoryStore, createRawStore } from "./memory-store.ts";
import { participantContract } from "./participant-contract.ts";
import { storeContract } from "./store-contract.ts";
import { volumeContract } from "./volume-contract.ts";

storeContract(
  async () => {
    const clock = createVirtualClock();
    return { raw: createRawStore({ clock }), sleep: (ms) => clock.sleep(ms), close: async () => {} };
  },
  { describe, it, expect },
);

const runnable = {
  ...{ namespace: "ns", service: "web", slot: 0, revision: "r1", operation: "01HZX0000000000000000000OP" },
  ...{ kind: "service" as const, env: {}, stopGraceMs: 1_000 },
};

volumeContract(
  async () => {
    const machines = createMemoryMachines({ clock: createVirtualClock(), machines: ["m1", "m2"] });
    return { machines, ids: ["m1", "m2"], runnable, close: async () => {} };
  },
  { describe, it, expect },
);

participantContract(
  async () => {
    const clock = createVirtualClock();
    const { facts } = createMemoryStore({ clock });
    const secret = { namespace: "ns", name: "db-url", version: "1" };
    await facts.put(secretKey(secret), { ...secret, at: "", by: "" }, 0);
    const machines = createMemoryMachines({ clock, machines: ["m1"], facts });
    return { machines, id: "m1", runnable, secret, close: async () => {} };
  },
  { describe, it, expect },
);
