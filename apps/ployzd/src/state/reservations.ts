import { PloyzError } from "../error-codes.ts";
import { readJson, serialise, writeJson } from "./files.ts";

type Taken = Readonly<Record<string, string>>; // instance id -> address

/** Addresses of this machine's subnet, stored durably by instance id. */
export interface Reservations {
  /** The same address for the same id, always. @throws PloyzError `addresses_exhausted`. */
  reserve(id: string): Promise<string>;
  /** Restores a committed instance's address, e.g. after the file was lost. */
  restore(id: string, address: string): Promise<void>;
  release(id: string): Promise<void>;
  all(): Taken;
}

export interface AddressRange {
  readonly first: string;
  readonly last: string;
}

const toNumber = (address: string) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const toAddress = (value: number) =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");

export async function openReservations(path: string, range: AddressRange): Promise<Reservations> {
  let taken: Taken = (await readJson<Taken>(path)) ?? {};
  const inTurn = serialise();
  const first = toNumber(range.first);
  const last = toNumber(range.last);
  // Starts after the last assigned one, so that an address is not reused at once: caches and keep-alives expire first.
  let cursor = Math.max(first - 1, ...Object.values(taken).map(toNumber));

  const save = async (next: Taken) => {
    await writeJson(path, next);
    taken = next;
  };

  return {
    all: () => taken,
    reserve: (id) =>
      inTurn(async () => {
        const present = taken[id];
        if (present !== undefined) return present;
        const used = new Set(Object.values(taken));
        for (let tries = 0; tries <= last - first; tries++) {
          cursor = cursor >= last ? first : cursor + 1;
          const address = toAddress(cursor);
          if (used.has(address)) continue;
          await save({ ...taken, [id]: address });
          return address;
        }
        throw new PloyzError({
          code: "addresses_exhausted",
          message: `all addresses from ${range.first} to ${range.last} are in use on this machine`,
          hint: "remove instances here, or add a machine",
        });
      }),
    restore: (id, address) =>
      inTurn(async () => {
        if (taken[id] !== address) await save({ ...taken, [id]: address });
      }),
    release: (id) =>
      inTurn(async () => {
        if (taken[id] === undefined) return;
        const { [id]: _, ...rest } = taken;
        await save(rest);
      }),
  };
}
