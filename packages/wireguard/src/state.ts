import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readFileIfThere, writeFileAtomic } from "@ployz/exec";
import type { Peer } from "./peer.ts";

/** The wanted interface. */
export interface InterfaceOptions {
  /** 0600, see `ensureKeyFile`. */
  readonly privateKeyFile: string;
  /** The machine's overlay address as a host network, `10.101.3.1/32`. */
  readonly address: string;
  readonly listenPort: number;
  /** Bytes; default 1420: 1500 minus IPv6 and WireGuard headers. */
  readonly mtu?: number;
}

/** The wanted interface, kept to recreate it after wireguard-go died or the machine rebooted. Holds no secret. */
export interface InterfaceState {
  readonly version: 1;
  readonly options: InterfaceOptions | undefined;
  readonly peers: readonly Peer[];
  /** The endpoint last configured, by public key. */
  readonly appliedEndpoints: Readonly<Record<string, string>>;
}

const EMPTY: InterfaceState = { version: 1, options: undefined, peers: [], appliedEndpoints: {} };

export interface StateFile {
  readonly path: string;
  read(): Promise<InterfaceState>;
  write(state: InterfaceState): Promise<void>;
  remove(): Promise<void>;
}

export function stateFile(dir: string, name: string): StateFile {
  const path = join(dir, `${name}.json`);
  return {
    path,
    async read() {
      const text = await readFileIfThere(path);
      return text === undefined ? EMPTY : (JSON.parse(text) as InterfaceState);
    },
    write: (state) => writeFileAtomic(path, `${JSON.stringify(state, undefined, 2)}\n`),
    remove: () => rm(path, { force: true }),
  };
}
