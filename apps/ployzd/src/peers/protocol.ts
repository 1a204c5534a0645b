import { createHash } from "node:crypto";

/**
 * Calls between daemons that work while the store is away or is being moved: HTTP on the transfer port. The tunnel proves which machine
 * a packet is from, yet any program on that machine could have sent it; so both sides sign with the machine's store key (nkey), whose
 * public half every member has in its membership. A challenge of the called daemon makes each request good for one time only.
 */
export interface Peer {
  readonly cluster: string;
  readonly from: string;
  readonly to: string;
  /** Of the called daemon, hexadecimal. */
  readonly challenge: string;
}

/** What the caller signs (`ask`), and what the called one signs (`answer`). */
export function signedText(what: "ask" | "answer", peer: Peer, body: string): string {
  const digest = createHash("sha256").update(body).digest("hex");
  return ["ployz-peer-1", what, peer.cluster, peer.from, peer.to, peer.challenge, digest].join("\n");
}

/** Answers begin with spaces, one now and then, so that the caller knows that there is still work going on. */
export const SIGN_OF_LIFE_MS = 1_000;
/** Of silence, until the caller takes the other machine for dead. */
export const SILENCE_MS = 8_000;
export const MAX_BODY = 1024 * 1024;
