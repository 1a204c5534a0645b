import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { errorBody } from "@ployz/errors";
import type { OperationEvent, OperationRequest, VolumeFile, VolumeImportRequest } from "@ployz/primitives";
import type { Member } from "../daemon/member.ts";
import { PloyzError } from "../error-codes.ts";
import { openVolumeFile, writeVolumeFile } from "../transfer/volume-file.ts";
import { snapshotList } from "./volumes.ts";

const ASK_MS = 15_000;

/** One snapshot of a volume as a file, from whatever machine has it. `about`: how many bytes it will be, roughly, where that can be told. */
export async function exportVolume(
  member: Member,
  asked: { readonly namespace: string; readonly volume: string; readonly snapshot: string },
  { version, signal }: { readonly version: string; readonly signal: AbortSignal },
): Promise<{ readonly about?: number; stream(): Readable }> {
  const { namespace, volume, snapshot } = asked;
  const { cluster, machine: self } = member.membership();
  const heads = member.heads();
  const { id, machine, snapshots } = await snapshotList(heads, member.machines, asked, signal);
  const found = snapshots.find(({ name }) => name === snapshot);
  if (found === undefined)
    throw new PloyzError({
      code: "snapshot_missing",
      message: `${namespace}/${volume} has no snapshot ${snapshot}`,
      hint: `ployzctl volume snapshots ${namespace}/${volume}`,
    });
  const spec = heads
    .find(({ commit }) => commit.namespace === namespace)
    ?.commit.volumes.find((one) => one.name === volume)?.spec;
  const offer = await member.machines.call(
    machine,
    "transfer.offer",
    { kind: "volume", id, snapshot, machine: self.id },
    { timeoutMs: ASK_MS, signal },
  );
  if (offer === null)
    throw new PloyzError({
      code: "snapshot_missing",
      message: `${machine} does not have snapshot ${snapshot} of ${namespace}/${volume} any more`,
      hint: `ployzctl volume snapshots ${namespace}/${volume}`,
    });
  const head: VolumeFile = {
    ...{ cluster: cluster.id, namespace, volume, spec: spec ?? { scope: "single" }, version },
    ...{ snapshot: { name: snapshot, guid: found.guid }, exportedAt: new Date().toISOString() },
    ...(offer.bytes !== undefined && { bytes: offer.bytes }),
  };
  const source = await member.fetch(machine, offer.token, signal);
  return {
    ...(offer.bytes !== undefined && { about: offer.bytes }),
    stream: () => Readable.from(writeVolumeFile(head, source), { objectMode: false }),
  };
}

/** @throws PloyzError `invalid_input`. What it names is checked with the operation's input. */
export function importRequest(query: Readonly<Record<string, string>>): VolumeImportRequest {
  const { namespace = "", volume = "", machine, mode, by = "" } = query;
  if (mode !== "preview" && mode !== "apply")
    throw new PloyzError({ code: "invalid_input", message: "mode: is preview or apply" });
  return { namespace, volume, mode, by, ...(machine !== undefined && { machine }) };
}

/** What the operation is asked. The file says what its volume is to be, never which one or where. Pure. */
export function importInput(
  { namespace, volume, machine }: VolumeImportRequest,
  { spec, snapshot, bytes, ...of }: VolumeFile,
  upload: { readonly machine: string; readonly id: string },
): OperationRequest["input"] {
  return {
    ...spec,
    ...{ namespace, volume, machine: machine ?? upload.machine, upload },
    exported: {
      ...{ namespace: of.namespace, volume: of.volume, snapshot: snapshot.name, guid: snapshot.guid },
      ...(bytes !== undefined && { bytes }),
    },
  };
}

/** Makes a volume of a file as it comes. What a refusal leaves of it unread is read past, so that the caller hears the reason. */
export async function* importVolume(
  member: Member,
  request: IncomingMessage,
  asked: VolumeImportRequest,
): AsyncGenerator<OperationEvent> {
  try {
    const { head, stream } = await openVolumeFile(
      request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>,
    );
    const self = member.membership().machine.id;
    let wrong: unknown;
    async function* sent(): AsyncGenerator<Buffer> {
      try {
        yield* stream;
      } catch (error) {
        wrong = error;
        throw error;
      }
    }
    const upload = member.uploads.add(head, sent());
    const input = importInput(asked, head, { machine: self, id: upload.id });
    const { mode, by } = asked;
    try {
      for await (const event of member.run({ primitive: "volume-import", input, mode, by })) {
        // The machine that receives it knows only that it broke off.
        yield event.type === "result" && event.result.error !== undefined && wrong !== undefined
          ? { ...event, result: { ...event.result, error: errorBody(wrong) } }
          : event;
      }
    } finally {
      upload.remove();
    }
  } finally {
    request.resume();
  }
}
