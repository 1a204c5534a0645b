import { expect, test } from "vitest";
import { decodeFields, encodeFields } from "./token-fields.ts";
import { decodeToken, encodeToken, MAX_TOKEN } from "./token-text.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const OTHERS = [...ALPHABET.split(""), "=", "!", ".", "+", "/", " A", "\nA", "é"];
/** Names of three lengths: base64url ends after two, three and four characters. */
const tokens = ["a", "ab", "abc"].map((name) => ({
  ...{ cluster: "c".padEnd(16, "0"), name, id: "0123456789abcdef", secret: "s".repeat(43) },
  ...{ expiresAt: 1_800_000_000_000, machines: [{ pin: "p".repeat(43), endpoints: ["192.0.2.1:51821"] }] },
}));

test.each(tokens)("a token of $name with a character appended, inserted or removed is none", (token) => {
  const text = encodeToken(token);
  expect(decodeToken(text)).toEqual(token);
  expect(decodeToken(` ${text}\n`)).toEqual(token);
  for (const more of OTHERS) expect(decodeToken(text + more), more).toBeUndefined();
  for (let at = 0; at < text.length; at++) {
    expect(decodeToken(text.slice(0, at) + text.slice(at + 1)), `without ${at}`).toBeUndefined();
    for (const more of ["=", "!", "\n", "\0"])
      if (at > 0) expect(decodeToken(text.slice(0, at) + more + text.slice(at)), `${at}`).toBeUndefined();
  }
});

test.each(tokens)("a token of $name with a changed character is none, or says something else", (token) => {
  const text = encodeToken(token);
  for (let at = 0; at < text.length; at++)
    for (const other of OTHERS) {
      if (text[at] === other) continue;
      const read = decodeToken(text.slice(0, at) + other + text.slice(at + 1));
      if (read !== undefined) expect(read).not.toEqual(token);
    }
});

test("fields that are written differently, more of them, and long lines are none", () => {
  const spaced = Buffer.from("[1, 2]").toString("base64url");
  expect(decodeFields(`x.${spaced}`, "x.", 100)).toBeUndefined();
  expect(decodeFields(encodeFields("x.", [1, 2]), "x.", 100)).toEqual([1, 2]);
  expect(decodeFields(encodeFields("x.", [1, 2]), "y.", 100)).toBeUndefined();
  expect(decodeFields(encodeFields("x.", ["a".repeat(100)]), "x.", 100)).toBeUndefined();
  const [cluster, name, id, secret, expiresAt, ...rest] = decodeFields(
    encodeToken(tokens[0] as (typeof tokens)[number]),
    "ployz-token-1.",
    MAX_TOKEN,
  ) as unknown[];
  const more = [cluster, name, id, secret, expiresAt, ...rest, "more"];
  expect(decodeToken(encodeFields("ployz-token-1.", more))).toBeUndefined();
});
