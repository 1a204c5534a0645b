import type { Zfs } from "@ployz/zfs";

/** Between two machines, pipe the stream through a socket and run each half on its side. A second run sends nothing. */
export async function copyVolume(zfs: Zfs, from: string, to: string) {
  const { dataset: snapshot } = await zfs.ensureSnapshot(`${from}@copy`, {
    claim: { "ployz:purpose": "copy" },
  });
  await zfs.hold(snapshot.name, "copy", { guid: snapshot.guid }); // prevents its destruction during the send
  const { stream, done } = zfs.send({ snapshot: snapshot.name });
  const received = zfs.receive({
    dataset: to,
    stream,
    expect: { snapshot: "copy", guid: snapshot.guid }, // fails unless exactly that snapshot arrives
    properties: { readonly: true },
  });
  await Promise.allSettled([received, done]);
  await zfs.release(snapshot.name, "copy");
  const { outcome, bytes } = await received;
  return { outcome, bytes };
}
