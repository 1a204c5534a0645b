import { errorBody } from "@ployz/errors";
import type { SecretRef } from "../model/commit.ts";
import type { Commands } from "../participant/commands.ts";
import type { CallOptions, Machines } from "../ports/machines.ts";
import type { TestApi } from "./contract.ts";
import { unique } from "./store-contract.ts";

/** A participant that the contract tests. */
export interface MachineUnderTest {
  /** A secret that there is. */
  readonly secret: SecretRef;
  readonly machines: Machines;
  /** The machine that is called. */
  readonly id: string;
  /** An instance that this machine can really run; the contract fills in id and address. */
  readonly runnable: Omit<Commands["instance.start"]["args"], "id" | "address">;
  /** Ends it. */
  close(): Promise<void>;
}

/** What every participant must do: fences, and commands that may be sent twice. */
export function participantContract(makeMachine: () => Promise<MachineUnderTest>, api: TestApi): void {
  const { describe, it, expect } = api;
  const test = (name: string, body: (machine: MachineUnderTest) => Promise<void>) =>
    it(name, async () => {
      const machine = await makeMachine();
      try {
        await body(machine);
      } finally {
        await machine.close();
      }
    });
  const under = (scope: string, revision: number): CallOptions => ({
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    fence: { scope, generation: 1, revision },
    operation: "01HZX0000000000000000000OP",
  });

  describe("participant contract", () => {
    test("a holder that was replaced is refused, in its own scope only", async ({ machines, id }) => {
      const [scope, instance] = [unique("place.ns"), `${unique("ns")}.web.0.aaaaaaaa`];
      await machines.call(id, "instance.reserve", { id: instance }, under(scope, 7));
      const late = await machines
        .call(id, "instance.release", { id: instance }, under(scope, 6))
        .catch((error: unknown) => errorBody(error).code);
      expect(late).toBe("fenced");
      await machines.call(id, "instance.release", { id: `${instance}b` }, under(unique("place.ns"), 1));
      await machines.call(id, "instance.release", { id: instance }, under(scope, 7));
    });

    test("reserve, start, remove and release may be sent twice", async ({ machines, id, runnable }) => {
      const scope = unique("place.ns");
      const options = under(scope, 1);
      const instance = `${runnable.namespace}.${runnable.service}.0.${unique("t")}`;
      const reserved = await machines.call(id, "instance.reserve", { id: instance }, options);
      expect(await machines.call(id, "instance.reserve", { id: instance }, options)).toEqual(reserved);
      const start = { ...runnable, id: instance, address: reserved.address };
      const started = await machines.call(id, "instance.start", start, options);
      expect(await machines.call(id, "instance.start", start, options)).toEqual(started);
      const seen = await machines.call(id, "machine.observe", {}, options);
      expect(seen.instances.filter((one) => one.id === instance).length).toBe(1);
      for (let n = 0; n < 2; n++) await machines.call(id, "instance.remove", { id: instance }, options);
      const after = await machines.call(id, "machine.observe", {}, options);
      expect(after.instances.filter((one) => one.id === instance).length).toBe(0);
      await machines.call(id, "instance.release", { id: instance }, options);
    });

    test("an instance starts with the secrets that were brought for it, and with no others", async (machine) => {
      const { machines, id, runnable, secret } = machine;
      const options = under(unique("place.ns"), 1);
      const instance = `${runnable.namespace}.${runnable.service}.0.${unique("t")}`;
      const { address } = await machines.call(id, "instance.reserve", { id: instance }, options);
      const wanted = { id: instance, secrets: { DATABASE_URL: secret } };
      const start = { ...runnable, ...wanted, address };
      const code = (work: Promise<unknown>) => work.catch((error: unknown) => errorBody(error).code);
      expect(await code(machines.call(id, "instance.start", start, options))).toBe("secrets_missing");
      const other = { id: instance, secrets: { DATABASE_URL: { ...secret, version: "another" } } };
      expect(await code(machines.call(id, "instance.secrets", other, options))).toBe("secret_changed");
      for (let n = 0; n < 2; n++)
        expect(await machines.call(id, "instance.secrets", wanted, options)).toBe(null);
      await machines.call(id, "instance.start", start, options);
      await machines.call(id, "instance.remove", { id: instance }, options);
    });

    test("undo of a step that never happened is no error", async ({ machines, id }) => {
      const options = under(unique("place.ns"), 1);
      for (const command of ["instance.remove", "instance.release"] as const) {
        expect(await machines.call(id, command, { id: "ns.web.0.never000" }, options)).toBe(null);
      }
    });
  });
}
