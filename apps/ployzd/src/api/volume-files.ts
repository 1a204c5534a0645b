import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { errorBody } from "@ployz/errors";
import type { VolumeFile, VolumeImportRequest } from "@ployz/primitives/client";
import type { OperationEvent, OperationRequest } from "@ployz/primitives/protocol";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import { openVolumeFiles, writeVolumeFile } from "../transfer/volume-file.ts";
import { snapshotList } from "./volumes.ts";

const ASK_MS = 15_000;

/** One snapshot of a volume as a file, from any machine that has it. `about`: the estimated number of bytes, if known. */
export async function exportVolume(
  member: Member,
  asked: {
    readonly namespace: string;
    readonly volume: string;
    readonly snapshot: string;
    readonly since?: string;
  },
  { version, signal }: { readonly version: string; readonly signal: AbortSignal },
): Promise<{ readonly about?: number; stream(): Readable }> {
  const { namespace, volume, snapshot, since } = asked;
  const { cluster, machine: self } = member.membership();
  const heads = member.heads();
  const { id, machine, snapshots } = await snapshotList(heads, member.machines, asked, signal);
  const place = (wanted: string) => {
    const at = snapshots.findIndex(({ name }) => name === wanted);
    if (at >= 0) return at;
    throw new PloyzError({
      code: "snapshot_missing",
      message: `${namespace}/${volume} has no snapshot ${wanted}`,
      hint: `list snapshots: ployzctl volume snapshots ${namespace}/${volume}`,
    });
  };
  const [from, to] = [since === undefined ? -1 : place(since), place(snapshot)];
  const [base, found] = [snapshots[from], snapshots[to]];
  if (found === undefined || from >= to)
    throw new PloyzError({
      code: "invalid_input",
      message: `since: snapshot ${since} is not older than ${snapshot}`,
      hint: "name a snapshot that was exported before",
    });
  const {
    snapshots: _,
    standby: _standby,
    ...spec
  } = heads
    .find(({ commit }) => commit.namespace === namespace)
    ?.commit.volumes.find((one) => one.name === volume)?.spec ?? { scope: "single" as const };
  const offer = await member.machines.call(
    machine,
    "transfer.offer",
    {
      ...{ kind: "volume", id: found.copy ?? id, snapshot, machine: self.id },
      ...(base !== undefined && { base: base.name }),
    },
    { timeoutMs: ASK_MS, signal },
  );
  if (offer === null)
    throw new PloyzError({
      code: "snapshot_missing",
      message: `${machine} no longer has snapshot ${snapshot} of ${namespace}/${volume}`,
      hint: `list snapshots: ployzctl volume snapshots ${namespace}/${volume}`,
    });
  const head: VolumeFile = {
    ...{ cluster: cluster.id, namespace, volume, spec, version },
    ...{ snapshot: { name: snapshot, guid: found.guid }, exportedAt: new Date().toISOString() },
    ...(base !== undefined && { base: { name: base.name, guid: base.guid } }),
    ...(offer.bytes !== undefined && { bytes: offer.bytes }),
  };
  const source = await member.fetch(machine, offer.token, signal);
  return {
    ...(offer.bytes !== undefined && { about: offer.bytes }),
    stream: () => Readable.from(writeVolumeFile(head, source), { objectMode: false }),
  };
}

/** @throws PloyzError `invalid_input`. The operation's input check validates the names. */
export function importRequest(query: Readonly<Record<string, string>>): VolumeImportRequest {
  const { namespace = "", volume = "", machine, mode, by = "" } = query;
  if (mode !== "preview" && mode !== "apply")
    throw new PloyzError({ code: "invalid_input", message: "mode: must be preview or apply" });
  return { namespace, volume, mode, by, ...(machine !== undefined && { machine }) };
}

/** The operation's input. The last file decides the volume's properties, never its name or machine. Pure. */
export function importInput(
  { namespace, volume, machine }: VolumeImportRequest,
  heads: readonly [VolumeFile, ...VolumeFile[]],
  upload: { readonly machine: string; readonly id: string },
): OperationRequest["input"] {
  const { spec, snapshot, ...of } = heads.at(-1) ?? heads[0];
  const bytes = heads.every((head) => head.bytes !== undefined)
    ? heads.reduce((sum, head) => sum + (head.bytes ?? 0), 0)
    : undefined;
  const earlier = heads.slice(0, -1).map((head) => head.snapshot);
  return {
    ...spec,
    ...{ namespace, volume, machine: machine ?? upload.machine, upload },
    exported: {
      ...{ namespace: of.namespace, volume: of.volume, snapshot: snapshot.name, guid: snapshot.guid },
      ...(bytes !== undefined && { bytes }),
      ...(earlier.length > 0 && { earlier }),
    },
  };
}

/** Imports a file, or several of one volume, while they upload. */
export async function* importVolume(
  member: Member,
  request: IncomingMessage,
  asked: VolumeImportRequest,
): AsyncGenerator<OperationEvent> {
  const { heads, streams } = await openVolumeFiles(
    request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>,
  );
  const self = member.membership().machine.id;
  let wrong: unknown;
  async function* sent(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* stream;
    } catch (error) {
      wrong = error;
      throw error;
    }
  }
  const upload = member.uploads.add(
    heads.flatMap((file, at) => {
      const stream = streams[at];
      return stream === undefined ? [] : [{ file, stream: sent(stream) }];
    }),
  );
  const input = importInput(asked, heads, { machine: self, id: upload.id });
  const { mode, by } = asked;
  try {
    for await (const event of member.run({ primitive: "volume-import", input, mode, by })) {
      // The receiving machine only knows that the stream broke.
      yield event.type === "result" && event.result.error !== undefined && wrong !== undefined
        ? { ...event, result: { ...event.result, error: errorBody(wrong) } }
        : event;
    }
  } finally {
    upload.remove();
  }
}
