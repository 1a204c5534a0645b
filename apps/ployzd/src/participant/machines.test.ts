import { PloyzError } from "@ployz/errors";
import type { Rpc } from "@ployz/nats-store";
import { expect, it } from "vitest";
import { openMachines } from "./machines.ts";

const failing = (code: string) =>
  openMachines(
    {
      call: () => Promise.reject(new PloyzError({ code, message: "as the other machine said it" })),
    } as unknown as Rpc,
    { self: "m1", local: () => undefined, versionOf: () => "0.1.0" },
  );
const options = { timeoutMs: 1_000, signal: new AbortController().signal };

it.each(["command_unknown", "no_such_command"])(
  "a command that an older machine does not know (%s) names the machine, its version and what to do",
  async (code) => {
    await expect(
      failing(code).call("m2", "volume.seal", { id: "v", operation: "o" }, options),
    ).rejects.toMatchObject({
      code: "command_unknown",
      message: "m2 runs Ployz 0.1.0, which does not have the command volume.seal",
      hint: expect.stringContaining("ployzctl machine update m2"),
    });
  },
);

it("a machine that is too old to be updated from another one says how it is", async () => {
  await expect(failing("command_unknown").call("m2", "update.look", {}, options)).rejects.toMatchObject({
    hint: expect.stringContaining("ployzctl daemon install"),
  });
});

it("leaves other errors as they are", async () => {
  await expect(failing("fenced").call("m2", "update.look", {}, options)).rejects.toMatchObject({
    code: "fenced",
    message: "as the other machine said it",
  });
});
