import type { VolumeCreateInput, VolumeForkInput, VolumeRestoreInput } from "@ployz/primitives";
import { unknownName } from "@ployz/primitives/client";
import type { Context, Input } from "../../command.ts";
import type { VolumeDocument } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { given, needInNamespace, needSize } from "../../values.ts";
import { needSnapshot } from "./snapshot-name.ts";

export async function show(context: Context, input: Input): Promise<VolumeDocument> {
  const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
  const { volumes } = await (await context.client()).request("GET /v1/volumes", {
    query: { namespace },
    signal: context.signal,
  });
  const rows = volumes.filter((row) => row.name === name);
  const [first, ...copies] = rows;
  if (first !== undefined) return { kind: "volume", ...first, copies };
  const names = volumes.map((row) => row.name);
  throw new PloyzError(unknownName("volume", name, names, namespace));
}

export async function create(context: Context, input: Input): Promise<Outcome> {
  const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
  const [machine, quota, record] = [input.text("machine"), input.text("quota"), input.text("recordsize")];
  if (machine === undefined) throw usage("--machine MACHINE is missing", "ployzctl machine ls");
  const wanted: VolumeCreateInput = {
    namespace,
    volume: name,
    machine: await needLabel("--machine", machine),
    ...given("scope", input.text("scope") as VolumeCreateInput["scope"]),
    ...given("quotaBytes", quota === undefined ? undefined : await needSize("--quota", quota)),
    ...given("recordsizeBytes", record === undefined ? undefined : await needRecordSize(record)),
  };
  return change(context, { primitive: "volume-create", input: wanted }, input.flag("preview"));
}

/** The same limits as in a manifest. */
async function needRecordSize(text: string): Promise<number> {
  const bytes = await needSize("--recordsize", text);
  if (bytes <= 128 * 1024 && Number.isInteger(Math.log2(bytes))) return bytes;
  throw usage(`--recordsize: ${text} is not a power of two up to 128K`, "for example 16K");
}

export async function fork(context: Context, input: Input): Promise<Outcome> {
  const source = await needInNamespace("SOURCE", input.argument("source"));
  const target = await needInNamespace("TARGET", input.argument("target"));
  const [to, snapshot] = [input.text("to"), input.text("snapshot")];
  const wanted: VolumeForkInput = {
    source: { namespace: source.namespace, volume: source.name },
    target: { namespace: target.namespace, volume: target.name },
    ...given(
      "snapshot",
      snapshot === undefined ? undefined : await needSnapshot("--snapshot", snapshot, source),
    ),
    ...given("machine", to === undefined ? undefined : await needLabel("--to", to)),
  };
  return change(context, { primitive: "volume-fork", input: wanted }, input.flag("preview"));
}

export async function restore(context: Context, input: Input): Promise<Outcome> {
  const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
  const snapshot = await needSnapshot("SNAPSHOT", input.argument("snapshot") ?? "", { namespace, name });
  const wanted: VolumeRestoreInput = { namespace, volume: name, snapshot };
  return change(context, { primitive: "volume-restore", input: wanted }, input.flag("preview"));
}
