import { errorBody } from "@ployz/errors";
import { type Channel, FRAME } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** Passes frames between the caller and the machine of the instance. When one side ends, so does the other. */
export async function relay(near: Channel, far: Channel, machine: string): Promise<void> {
  let last = 0;
  const pass = async (from: Channel, to: Channel): Promise<void> => {
    for await (const { kind, payload } of from.frames) {
      if (from === far) last = kind;
      if (kind !== FRAME.ping) await to.send(kind as (typeof FRAME)[keyof typeof FRAME], payload);
    }
  };
  const up = pass(near, far)
    .catch(() => {})
    .then(far.destroy);
  try {
    await pass(far, near);
  } catch {
    // The connection broke: reported below.
  }
  if (last !== FRAME.exit && last !== FRAME.error) {
    const lost = new PloyzError({
      code: "machine_unreachable",
      message: `lost the connection to ${machine}; the program there was killed`,
      hint: `check ${machine}: ployzctl machine ls`,
    });
    await near.send(FRAME.error, JSON.stringify(errorBody(lost)));
  }
  near.end();
  await up;
  near.destroy();
}
