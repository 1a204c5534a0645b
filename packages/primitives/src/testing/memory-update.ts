import { fail, type Handlers, type MachineSetting, type MemoryMachine } from "./memory-participant.ts";

type UpdateCommands = "update.look" | "payload.ensure" | "payload.remove" | "update.switch" | "update.await";

/** A machine's own Ployz in memory: a switch is over at once. */
export function updateHandlersOf(
  machine: MemoryMachine,
  setting: MachineSetting,
): Pick<Handlers, UpdateCommands> {
  const versionOf = (build: string) => build.replace("build", "version");
  return {
    "update.look": () => ({
      version: versionOf(machine.build),
      build: machine.build,
      current: machine.build,
      arch: "x64",
      diskFreeBytes: machine.diskFreeBytes,
      running: [...machine.busy],
      ...(machine.releaseKey !== undefined && { releaseKey: machine.releaseKey }),
    }),
    "payload.ensure": ({ build, source, operation }) => {
      if (machine.builds.has(build)) return { transferredBytes: 0 };
      if (setting.peer(source)?.build !== build)
        return fail("payload_missing", `${source} does not have the build ${build}`);
      machine.builds.set(build, operation);
      machine.effects.push(`install ${build}`);
      return { transferredBytes: 1_000 };
    },
    "payload.remove": ({ build, operation }) => {
      if (machine.build === build || machine.builds.get(build) !== operation) return null;
      machine.builds.delete(build);
      machine.effects.push(`uninstall ${build}`);
      return null;
    },
    "update.switch": ({ build, back }) => {
      if (machine.build === build) return null;
      if (!back && machine.busy.length > 0)
        return fail("machine_busy", `${machine.id} runs ${machine.busy[0]}`);
      if (!machine.builds.has(build)) return fail("payload_missing", `${machine.id} does not have ${build}`);
      machine.effects.push(`switch to ${build}`);
      if (machine.buildFaults.get(build)?.kind !== "dies") machine.build = build;
      return null;
    },
    "update.await": ({ build }) => {
      if (machine.build !== build)
        return fail("update_reverted", `${machine.id} runs ${machine.build}, not ${build}`);
      const fault = machine.buildFaults.get(build);
      const disturbed = fault?.kind === "disturbs" ? [{ what: fault.what, why: "it was gone" }] : [];
      return { version: versionOf(build), disturbed };
    },
  };
}
