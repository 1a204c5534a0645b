import { createHmac } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkHostKey, keysFor, rememberHostKey } from "./known-hosts.ts";

const key = (type: string, body: string) => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.from(body)]);
};
const ed = key("ssh-ed25519", "one");

it("finds plain, listed, ported and hashed names", () => {
  const salt = Buffer.from("0123456789abcdefghij");
  const hashed = `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update("m2").digest("base64")}`;
  const file = [
    "# note",
    "a,m1 ssh-ed25519 AAA",
    "[m1]:2222 ssh-ed25519 BBB",
    `${hashed} ssh-ed25519 CCC`,
  ].join("\n");
  expect(keysFor(file, "m1", 22)).toEqual(["AAA"]);
  expect(keysFor(file, "m1", 2222)).toEqual(["BBB"]);
  expect(keysFor(file, "m2", 22)).toEqual(["CCC"]);
});

it.each([
  ["*.example.test ssh-ed25519 K", "a.example.test", true],
  ["*.example.test ssh-ed25519 K", "aXexample.test", false],
  ["*.example.test,!b.example.test ssh-ed25519 K", "b.example.test", false],
  ["m? ssh-ed25519 K", "m1", true],
  ["m? ssh-ed25519 K", "m10", false],
  ["* ssh-ed25519 K", "anything", true],
  ["M1 ssh-ed25519 K", "m1", true],
  ["# * ssh-ed25519 K", "m1", false],
  ["@revoked * ssh-ed25519 K", "m1", false],
  ["@cert-authority * ssh-ed25519 K", "m1", false],
])("%s lists %s: %s", (line, host, listed) => {
  expect(keysFor(line, host, 22)).toEqual(listed ? ["K"] : []);
});

it("a revoked key is refused although it is listed, and an authority's key is no host's", async () => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-known-"));
  const [path, more] = [join(dir, "known_hosts"), join(dir, "more")];
  const text = ed.toString("base64");
  try {
    await writeFile(path, `m1 ssh-ed25519 ${text}\n@cert-authority *.ca.test ssh-ed25519 ${text}\n`);
    await writeFile(more, `@revoked m* ssh-ed25519 ${text}\n`);
    expect(await checkHostKey([path], "m1", 22, ed)).toBe("known");
    expect(await checkHostKey([path, more], "m1", 22, ed)).toBe("revoked");
    expect(await checkHostKey([path, more], "m2", 22, ed)).toBe("revoked");
    expect(await checkHostKey([path, more], "m1", 22, key("ssh-rsa", "two"))).toBe("unknown");
    expect(await checkHostKey([path], "a.ca.test", 22, ed)).toBe("certified");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

it("tells a new host from one whose key has changed", async () => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-known-"));
  const path = join(dir, "known_hosts");
  try {
    expect(await checkHostKey([path], "m1", 22, ed)).toBe("unknown");
    await rememberHostKey(path, "m1", 22, ed);
    expect(await checkHostKey([path], "m1", 22, ed)).toBe("known");
    expect(await checkHostKey([path], "m1", 22, key("ssh-ed25519", "two"))).toBe("changed");
    expect(await checkHostKey([path], "m1", 22, key("ssh-rsa", "one"))).toBe("unknown");
    await writeFile(path, "");
    expect(await checkHostKey([path], "m1", 22, ed)).toBe("unknown");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
