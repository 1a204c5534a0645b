import { createHash } from "node:crypto";

/**
 * Calls between daemons that work while the store is away or is being moved: HTTP on the transfer port. The tunnel authenticates the
 * machine of a packet, but any program on that machine could have sent it; so both sides sign with the machine's store key (nkey), whose
 * public half every member knows. A challenge from the called daemon makes each request valid only once.
 */
export interface Peer {
  readonly cluster: string;
  readonly from: string;
  readonly to: string;
  /** Of the called daemon, hexadecimal. */
  readonly challenge: string;
}

/** The text signed by the caller (`ask`), and by the callee (`answer`). */
export function signedText(what: "ask" | "answer", peer: Peer, body: string): string {
  const digest = createHash("sha256").update(body).digest("hex");
  return ["ployz-peer-1", what, peer.cluster, peer.from, peer.to, peer.challenge, digest].join("\n");
}

/** Answers begin with spaces as heartbeats while the work continues. */
export const SIGN_OF_LIFE_MS = 1_000;
/** Silence after which the caller considers the other machine dead. */
export const SILENCE_MS = 8_000;
export const MAX_BODY = 1024 * 1024;
