import { type DecodedPacket, decode, encode } from "dns-packet";
import fc from "fast-check";
import { expect, it } from "vitest";
import { answerQuestion } from "./answer.ts";
import { authoritativeResponse, parseQuery, plainResponse, udpLimit } from "./message.ts";
import { projectZone } from "./zone.ts";

const query = (name: string, more: object = {}): Buffer =>
  encode({ type: "query", id: 7, questions: [{ type: "A", class: "IN", name }], ...more });

it("answers nothing to a message that is not a query", () => {
  expect(parseQuery(Buffer.alloc(5)).kind).toBe("drop");
  expect(parseQuery(encode({ type: "response", id: 1, questions: [{ type: "A", name: "a.b" }] })).kind).toBe(
    "drop",
  );
});

it.each([
  ["no question", encode({ type: "query", id: 7, questions: [] }), "FORMERR"],
  [
    "two questions",
    encode({
      type: "query",
      id: 7,
      questions: [
        { type: "A", name: "a" },
        { type: "A", name: "b" },
      ],
    }),
    "FORMERR",
  ],
  ["a cut packet", query("web.prod.cluster.local").subarray(0, 20), "FORMERR"],
  [
    "another opcode",
    encode({ type: "query", id: 7, flags: 5 << 11, questions: [{ type: "A", name: "a" }] }),
    "NOTIMP",
  ],
])("rejects %s with its own id", (_, packet, rcode) => {
  const parsed = parseQuery(packet);
  expect(parsed.kind).toBe("reject");
  if (parsed.kind !== "reject") return;
  const response = decode(parsed.response) as DecodedPacket & { rcode: string };
  expect(response).toMatchObject({ id: 7, type: "response", rcode });
});

it("survives any bytes, and any damage to a real query", () => {
  const real = query("WWW.prod.cluster.local", {
    additionals: [{ type: "OPT", name: ".", udpPayloadSize: 4096, flags: 0, options: [] }],
  });
  const damaged = fc
    .array(fc.tuple(fc.nat(real.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
    .map((changes) => {
      const packet = Buffer.from(real);
      for (const [at, byte] of changes) packet[at] = byte;
      return packet;
    });
  const any = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
  const zone = projectZone({ services: [{ namespace: "prod", service: "www", instances: [] }] });
  fc.assert(
    fc.property(fc.oneof(damaged, any), (packet) => {
      const parsed = parseQuery(packet);
      if (parsed.kind === "drop") return;
      if (parsed.kind === "reject") return void decode(parsed.response);
      const { question } = parsed.query;
      const reply = answerQuestion(zone, question.name, question.type, 0);
      const limit = udpLimit(parsed.query);
      const response = reply
        ? authoritativeResponse(parsed.query, reply, limit, true)
        : plainResponse(parsed.query, "REFUSED", false);
      expect(response.length).toBeLessThanOrEqual(limit);
      expect(response.readUInt16BE(0)).toBe(packet.readUInt16BE(0));
      // The question comes back byte for byte.
      const length = encode({ type: "query", id: 0, questions: [question] }).length - 12;
      expect(response.subarray(12, 12 + length).equals(packet.subarray(12, 12 + length))).toBe(true);
    }),
    { numRuns: 3000 },
  );
});
