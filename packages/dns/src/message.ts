import {
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  decode,
  encode,
  type OptAnswer,
  type Question,
} from "dns-packet";
import type { Reply } from "./answer.ts";

/** The parts of a query that the server needs. */
export interface Query {
  readonly id: number;
  readonly question: Question;
  readonly recursionDesired: boolean;
  /** The client's EDNS, if it sent one (RFC 6891). */
  readonly edns?: { readonly version: number; readonly payload: number };
}

export type Parsed =
  | { readonly kind: "query"; readonly query: Query }
  /** Answered with this code only. */
  | { readonly kind: "reject"; readonly response: Buffer }
  /** Not a query at all: silence. */
  | { readonly kind: "drop" };

const QR = 0x8000;
const TC = 0x0200;
const RD = 0x0100;
const RA = 0x0080;
const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
export type Rcode = keyof typeof RCODES;
const MAX_EDNS_PAYLOAD = 1232;

export function parseQuery(packet: Buffer): Parsed {
  if (packet.length < 12) return { kind: "drop" };
  const flags = packet.readUInt16BE(2);
  // Answering an answer would let two servers talk to each other forever.
  if ((flags & QR) !== 0) return { kind: "drop" };
  if (((flags >> 11) & 15) !== 0) return { kind: "reject", response: bareResponse(packet, "NOTIMP") };
  let decoded: DecodedPacket;
  try {
    decoded = decode(packet);
  } catch {
    return { kind: "reject", response: bareResponse(packet, "FORMERR") };
  }
  const [question, ...more] = decoded.questions ?? [];
  if (!question || more.length > 0 || !isRepeatable(question, packet))
    return { kind: "reject", response: bareResponse(packet, "FORMERR") };
  const opts = (decoded.additionals ?? []).filter((one): one is OptAnswer => one.type === "OPT");
  if (opts.length > 1) return { kind: "reject", response: bareResponse(packet, "FORMERR") };
  const [opt] = opts;
  return {
    kind: "query",
    query: {
      id: packet.readUInt16BE(0),
      question,
      recursionDesired: (flags & RD) !== 0,
      ...(opt && { edns: { version: opt.ednsVersion, payload: opt.udpPayloadSize } }),
    },
  };
}

/** How large an answer over UDP may be. */
export function udpLimit(query: Query): number {
  return query.edns ? Math.min(Math.max(512, query.edns.payload), MAX_EDNS_PAYLOAD) : 512;
}

/**
 * The authoritative response. When it does not fit, the additional records go first; then as many answers as fit are sent
 * with TC set: old stub resolvers use those, and every other asks again over TCP.
 */
export function authoritativeResponse(query: Query, reply: Reply, limit: number, recursion: boolean): Buffer {
  let { answers, additionals } = reply;
  let flags = AUTHORITATIVE_ANSWER;
  for (;;) {
    const packet = encodeResponse(query, reply.rcode, flags, recursion, { ...reply, answers, additionals });
    if (packet.length <= limit) return packet;
    if (additionals.length > 0) additionals = [];
    else if (answers.length > 0) {
      flags |= TC;
      const excess = packet.length - limit;
      answers = answers.slice(0, Math.max(0, answers.length - Math.max(1, Math.floor(excess / 300))));
    } else
      return encodeResponse(query, reply.rcode, flags | TC, recursion, {
        answers,
        additionals,
        authorities: [],
      });
  }
}

/** A response without records, for names outside of our zones. */
export function plainResponse(query: Query, rcode: Rcode, recursion: boolean): Buffer {
  return encodeResponse(query, rcode, 0, recursion, { answers: [], authorities: [], additionals: [] });
}

/** RFC 6891, 6.1.3: an EDNS version that this server does not know. */
export function badVersion(query: Query, recursion: boolean): Buffer {
  return encodeResponse(query, "NOERROR", 0, recursion, { answers: [], authorities: [], additionals: [] }, 1);
}

/** Replaces a forwarded answer that is too large for the client's UDP. */
export function truncated(query: Query, recursion: boolean): Buffer {
  return encodeResponse(query, "NOERROR", TC, recursion, { answers: [], authorities: [], additionals: [] });
}

function encodeResponse(
  query: Query,
  rcode: Rcode,
  flags: number,
  recursion: boolean,
  sections: Omit<Reply, "rcode">,
  extendedRcode = 0,
): Buffer {
  const opt: OptAnswer[] = query.edns
    ? [
        {
          type: "OPT",
          name: ".",
          udpPayloadSize: MAX_EDNS_PAYLOAD,
          extendedRcode,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ]
    : [];
  return encode({
    type: "response",
    id: query.id,
    flags: flags | (query.recursionDesired ? RD : 0) | (recursion ? RA : 0) | RCODES[rcode],
    questions: [query.question],
    answers: [...sections.answers],
    authorities: [...sections.authorities],
    additionals: [...sections.additionals, ...opt],
  });
}

/** Header only: the question could not be read, so it is not repeated. */
function bareResponse(packet: Buffer, rcode: Rcode): Buffer {
  const response = Buffer.alloc(12);
  packet.copy(response, 0, 0, 2);
  response.writeUInt16BE((packet.readUInt16BE(2) & 0x7900) | QR | RCODES[rcode], 2);
  return response;
}

/**
 * Whether the question can be repeated byte for byte, as a response must. dns-packet cannot for labels that hold dots or are not
 * UTF-8; no host has such a name.
 */
function isRepeatable(question: Question, packet: Buffer): boolean {
  try {
    const written = encode({ type: "query", id: 0, questions: [question] }).subarray(12);
    return written.equals(packet.subarray(12, 12 + written.length));
  } catch {
    return false;
  }
}
