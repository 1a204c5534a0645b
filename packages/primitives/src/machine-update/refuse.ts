import type { ErrorBody } from "@ployz/errors";
import type { Refusal } from "../engine/types.ts";
import { unknownName } from "../model/unknown-name.ts";
import type { MachineUpdateInput } from "./input.ts";
import type { MachineUpdateFacts } from "./observe.ts";

export function refuse({ machine }: MachineUpdateInput, facts: MachineUpdateFacts): readonly ErrorBody[] {
  const { member, source, found, others } = facts;
  const refusals: ErrorBody[] = [];
  const no = (code: Refusal["code"], message: string, hint: string) =>
    refusals.push({ code, message, hint, machine });

  if (member === undefined) {
    refusals.push({ ...unknownName("machine", machine, others), machine });
    return refusals;
  }
  if (member.record.state === "joining") {
    no("machine_joining", `${machine} has not finished joining`, "run machine add for it again");
    return refusals;
  }
  if (source.current === undefined)
    no(
      "payload_not_installed",
      `${source.machine} does not run from an installed release`,
      "run its install.sh there",
    );
  else if (source.current !== source.build)
    no(
      "daemon_outdated",
      `the daemon of ${source.machine} runs another build than the one that is installed there`,
      `on ${source.machine}: ployzctl daemon install`,
    );
  if ("error" in found) return [...refusals, { ...found.error, machine }];
  if (found.build === source.build) return refusals;

  if (found.current === undefined)
    no(
      "payload_not_installed",
      `${machine} does not run from an installed release`,
      "run the new release's install.sh there, and ployzctl daemon install",
    );
  if (found.arch !== source.arch)
    no(
      "arch_differs",
      `${machine} is ${found.arch}, and ${source.machine} has the payload for ${source.arch}`,
      `ask a machine that is ${found.arch}, or run install.sh on ${machine}`,
    );
  if (!facts.signed)
    no(
      "payload_unsigned",
      `the release key of ${machine} (/etc/ployz/release.pub) did not sign the build of ${source.machine}`,
      `install a build on ${source.machine} that this key signed`,
    );
  if (found.diskFreeBytes < source.neededBytes)
    no(
      "disk_full",
      `${machine} has ${mib(found.diskFreeBytes)} MiB free for a new build and needs ${mib(source.neededBytes)} MiB`,
      "make room there: old builds are in /usr/local/lib/ployz",
    );
  for (const operation of found.running)
    refusals.push({
      code: "machine_busy",
      message: `${machine} runs operation ${operation}, which a restart of its daemon would interrupt`,
      hint: `ployzctl ops watch ${operation}`,
      machine,
      operationId: operation,
    });
  return refusals;
}

const mib = (bytes: number): number => Math.floor(bytes / 2 ** 20);
