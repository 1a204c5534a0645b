import fc from "fast-check";
import { expect, it } from "vitest";
import { parseReply } from "./client/consumer.ts";
import { bucketKey, bucketSubject, commitSubject, rpcSubject } from "./names.ts";

it("lets no name add a token or a wildcard to a subject", () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      for (const [make, tokens] of [
        [() => commitSubject("c", name), 5],
        [() => rpcSubject("c", name, "machine.observe"), 7],
      ] as const) {
        let subject: string;
        try {
          subject = make();
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid_name" });
          continue;
        }
        expect(subject.split(".")).toHaveLength(tokens);
        expect(subject).not.toMatch(/[*>\s]/);
      }
    }),
  );
});

it("keeps a key through its subject", () => {
  expect(bucketKey("facts", bucketSubject("facts", "spec.sha256:ab/c"))).toBe("spec.sha256:ab/c");
  for (const key of ["", ".", "a..b", "a.*", "a.>", "a b", "a\0"]) {
    expect(() => bucketSubject("facts", key)).toThrow(expect.objectContaining({ code: "invalid_name" }));
  }
});

it("reads a message's place from both layouts of the acknowledgement subject", () => {
  const place = { streamSequence: 42, consumerSequence: 7, pending: 3 };
  expect(parseReply("$JS.ACK.STREAM.consumer.1.42.7.1700000000.3")).toEqual(place);
  expect(parseReply("$JS.ACK._.hash.STREAM.consumer.1.42.7.1700000000.3.token")).toEqual(place);
  expect(parseReply("_INBOX.x")).toBeUndefined();
});
