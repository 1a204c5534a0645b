import { type Warning, warning } from "./codes.ts";
import type { Seen } from "./seen.ts";

/** Committed volumes that are not usable now. */
export function volumeWarnings({ volumes, open, storeAnswers }: Seen): readonly Warning[] {
  return volumes
    .filter(({ committed }) => committed)
    .flatMap(({ namespace, name, machine, state, spec, users }): readonly Warning[] => {
      const what = `${namespace}/${name}`;
      if (state === "unknown" && storeAnswers)
        return [
          warning("volume_unknown", what, {
            message: `volume ${what} is on ${machine}, which does not answer`,
            hint: withoutMachine({ namespace, machine, users, standbys: spec?.standby?.machines ?? [] }),
          }),
        ];
      if (state === "missing")
        return [
          warning("volume_missing", what, {
            message: `volume ${what} is not on ${machine}, where it was committed`,
            hint: `check that the pool of ${machine} is imported; list other copies: ployzctl volume show ${what}`,
          }),
        ];
      // Expected while an operation works on it.
      if ((state === "sealed" || state === "retired" || state === "incoming") && open.length === 0)
        return [
          warning("volume_closed", what, {
            message: `volume ${what} on ${machine} is ${state}: no instance can start on it`,
            hint: "run its last command again; find it with: ployzctl ops ls",
          }),
        ];
      return [];
    });
}

function withoutMachine(volume: {
  readonly namespace: string;
  readonly machine: string;
  readonly users: readonly string[];
  readonly standbys: readonly string[];
}): string {
  const { namespace, machine, users, standbys } = volume;
  const [standby] = standbys.filter((one) => one !== machine);
  const [user] = users;
  if (standby === undefined || user === undefined)
    return `its services cannot run elsewhere without it; start ${machine} again`;
  return `start ${machine} again; or see what its standby holds: ployzctl migrate ${namespace}/${user} --to ${standby} --from-standby -n`;
}
