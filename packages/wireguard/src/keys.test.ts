import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureKeyFile, generateKeyPair, isKey, publicKeyOf, readKeyFile } from "./keys.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-keys-"));
});
afterEach(() => rm(dir, { recursive: true }));

describe("keys", () => {
  it("agree with RFC 7748, section 6.1 (Alice)", () => {
    expect(publicKeyOf(Buffer.from(ALICE_PRIVATE, "hex").toString("base64"))).toBe(
      Buffer.from(ALICE_PUBLIC, "hex").toString("base64"),
    );
  });

  it("are new each time and well formed", () => {
    const [a, b] = [generateKeyPair(), generateKeyPair()];
    expect(a.privateKey).not.toBe(b.privateKey);
    expect(isKey(a.privateKey) && isKey(a.publicKey)).toBe(true);
    expect(publicKeyOf(a.privateKey)).toBe(a.publicKey);
  });

  it("never show themselves in an error", () => {
    expect(() => publicKeyOf("c2VjcmV0")).toThrow(
      expect.objectContaining({ code: "key_invalid", message: expect.not.stringContaining("c2VjcmV0") }),
    );
  });

  it("are made once, for the owner only, also by two callers at once", async () => {
    const file = join(dir, "deep", "private.key");
    const made = await Promise.all([ensureKeyFile(file), ensureKeyFile(file), ensureKeyFile(file)]);
    expect(new Set(made.map(({ publicKey }) => publicKey)).size).toBe(1);
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(dir, "deep"))).toEqual(["private.key"]);
    expect(publicKeyOf(await readKeyFile(file))).toBe(made[0].publicKey);
  });

  it("are refused when others may read them, or when they are none", async () => {
    const file = join(dir, "key");
    await ensureKeyFile(file);
    await chmod(file, 0o640);
    await expect(ensureKeyFile(file)).rejects.toMatchObject({ code: "key_exposed" });
    await chmod(file, 0o600);
    await writeFile(file, "nonsense");
    await expect(ensureKeyFile(file)).rejects.toMatchObject({ code: "key_invalid" });
  });
});

const ALICE_PRIVATE = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
const ALICE_PUBLIC = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
