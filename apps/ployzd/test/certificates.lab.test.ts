import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkCertificate } from "../src/certificates/check.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-check-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

type Made = { readonly cert: string; readonly key: string };
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** By openssl(1): self-signed, or issued by `by`. */
async function made(
  name: string,
  { by, names = [], key = EC }: { by?: string; names?: readonly string[]; key?: readonly string[] } = {},
): Promise<Made> {
  const at = (file: string) => join(dir, file);
  const alternative = names.map((one) => `DNS:${one}`).join(",");
  const more = names.length > 0 ? `subjectAltName=${alternative}` : "basicConstraints=critical,CA:TRUE";
  const request = ["req", ...key, "-nodes", "-subj", `/CN=${name}`, "-keyout", at(`${name}.key`)];
  if (by === undefined) {
    await run("openssl", [...request, "-x509", "-days", "30", "-addext", more, "-out", at(`${name}.pem`)]);
  } else {
    await run("openssl", [...request, "-addext", more, "-out", at(`${name}.csr`)]);
    await run("openssl", [
      ...["x509", "-req", "-in", at(`${name}.csr`), "-copy_extensions", "copyall", "-days", "30"],
      ...["-CA", at(`${by}.pem`), "-CAkey", at(`${by}.key`), "-CAcreateserial", "-out", at(`${name}.pem`)],
    ]);
  }
  return { cert: await readFile(at(`${name}.pem`), "utf8"), key: await readFile(at(`${name}.key`), "utf8") };
}

it("takes a whole chain in any order, and serves it without its root; names the fault of any other", async () => {
  const root = await made("root");
  const intermediate = await made("intermediate", { by: "root" });
  const leaf = await made("leaf", { by: "intermediate", names: ["www.a.test", "*.b.test"] });
  const weak = await made("weak", { by: "root", names: ["www.a.test"], key: ["-newkey", "rsa:1024"] });
  const now = new Date();
  const check = (chain: string, key: string, more: { name?: string; roots?: string[]; now?: Date } = {}) =>
    checkCertificate({ chain, key }, { name: "www.a.test", roots: [], now, method: "import", ...more });

  const whole = check(root.cert + intermediate.cert + leaf.cert, leaf.key);
  expect(whole.certificate).toMatchObject({
    ...{ name: "www.a.test", names: ["www.a.test", "*.b.test"], issuer: "intermediate", method: "import" },
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(whole.pem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(whole.pem.startsWith(leaf.cert.trim())).toBe(true);
  expect(check(leaf.cert + intermediate.cert, leaf.key, { roots: [root.cert] }).pem).toBe(whole.pem);
  expect(
    check(leaf.cert + intermediate.cert + root.cert, leaf.key, { name: "x.b.test" }).certificate.name,
  ).toBe("x.b.test");
  const alone = await made("alone", { names: ["www.a.test"] });
  expect(check(alone.cert, alone.key).certificate.issuer).toBe("alone");

  const wrong: readonly (readonly [RegExp, () => unknown])[] = [
    [
      /intermediate certificate is missing: intermediate, which issued the certificate/,
      () => check(leaf.cert + root.cert, leaf.key),
    ],
    [
      /intermediate certificate is missing: root, which issued intermediate/,
      () => check(leaf.cert + intermediate.cert, leaf.key),
    ],
    [
      /is for www\.a\.test, \*\.b\.test, not for c\.test/,
      () => check(leaf.cert + intermediate.cert + root.cert, leaf.key, { name: "c.test" }),
    ],
    [/key does not belong/, () => check(leaf.cert + intermediate.cert, alone.key)],
    [/expired at/, () => check(leaf.cert, leaf.key, { now: new Date(now.getTime() + 40 * 86_400_000) })],
    [
      /valid from .* only/,
      () => check(leaf.cert, leaf.key, { now: new Date(now.getTime() - 2 * 86_400_000) }),
    ],
    [/RSA key has 1024 bits/, () => check(weak.cert + root.cert, weak.key)],
    [/no certificate in PEM/, () => check("hello", leaf.key)],
    [/key cannot be read/, () => check(leaf.cert, "hello")],
  ];
  for (const [message, broken] of wrong) {
    expect(broken).toThrow(message);
    expect(broken).toThrow(expect.objectContaining({ code: "certificate_invalid" }));
  }
});
