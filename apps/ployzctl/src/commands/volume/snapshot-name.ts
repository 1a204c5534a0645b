import { PloyzError } from "../../error-codes.ts";

/** @throws PloyzError `invalid_input`, naming the field. */
export async function needSnapshot(
  what: string,
  snapshot: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<string> {
  const { isSnapshotName } = await import("@ployz/primitives/protocol");
  if (isSnapshotName(snapshot)) return snapshot;
  throw new PloyzError({
    code: "invalid_input",
    message: `${what}: ${JSON.stringify(snapshot.slice(0, 60))} is not the name of a snapshot`,
    hint: `ployzctl volume snapshots ${namespace}/${name}`,
  });
}
