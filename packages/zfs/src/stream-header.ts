/**
 * The first record of a send stream, DRR_BEGIN (sys/zfs_ioctl.h: `dmu_replay_record`, the same since 2008): the stream's snapshot and the
 * base it needs, read before anything changes. Integers are in the sender's byte order.
 */
export interface StreamHeader {
  /** The sent snapshot's name on the sender, `tank/a@s`. */
  readonly snapshot: string;
  /** Guid of the snapshot; absent in a stream of several. */
  readonly guid?: string;
  /** Guid of the snapshot that the receiver must have; absent in a full stream and in a stream of several. */
  readonly baseGuid?: string;
}

/** Bytes of the record: type, payload length, then 304 of `drr_begin`. */
export const HEADER_BYTES = 312;

const MAGIC = 0x2_f5_ba_cb_acn;
const COMPOUND = 2n; // DMU_COMPOUNDSTREAM, in the two low bits of drr_versioninfo
const NAME_AT = 56;

/** `undefined` when the bytes are not the start of a send stream. */
export function parseStreamHeader(bytes: Buffer): StreamHeader | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const little = bytes.readBigUInt64LE(8) === MAGIC;
  if (!little && bytes.readBigUInt64BE(8) !== MAGIC) return undefined;
  const number = (at: number) => (little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  const end = bytes.indexOf(0, NAME_AT);
  const snapshot = bytes.toString("utf8", NAME_AT, end === -1 ? HEADER_BYTES : Math.min(end, HEADER_BYTES));
  if (!snapshot.includes("@")) return undefined;
  if ((number(16) & 3n) === COMPOUND) return { snapshot };
  const [guid, baseGuid] = [number(40), number(48)];
  return { snapshot, guid: String(guid), ...(baseGuid !== 0n && { baseGuid: String(baseGuid) }) };
}
