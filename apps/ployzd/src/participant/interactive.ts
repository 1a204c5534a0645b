import { rename, writeFile } from "node:fs/promises";
import { type Attached, type InstanceSpec, pauseProgram, type Runtime } from "@ployz/runtime";

/** Inside an interactive instance. */
const PAUSE = "/.ployz-pause";

/** The instance with a first process that waits until it is killed, which the machine keeps at `path`. */
export async function withPause(
  spec: InstanceSpec,
  runtime: Pick<Runtime, "facts">,
  path: string,
): Promise<InstanceSpec> {
  const { arch } = await runtime.facts();
  await writeFile(`${path}.new`, pauseProgram(arch), { mode: 0o755 });
  await rename(`${path}.new`, path);
  const mount = { source: path, target: PAUSE, readOnly: true };
  return { ...spec, entrypoint: [PAUSE], command: [], mounts: [...spec.mounts, mount] };
}

/** A program in such an instance: after its end, whatever ends it, `end` ends the instance. */
export async function endedBy(open: () => Promise<Attached>, end: () => Promise<void>): Promise<Attached> {
  let attached: Attached;
  try {
    attached = await open();
  } catch (error) {
    await end();
    throw error;
  }
  const done = (async () => {
    try {
      return await attached.done;
    } finally {
      await end();
    }
  })();
  done.catch(() => {});
  return {
    ...attached,
    done,
    async kill() {
      await attached.kill();
      void end();
    },
  };
}
