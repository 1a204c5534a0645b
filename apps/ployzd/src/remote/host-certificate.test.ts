import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { certifies, scanned } from "./host-certificate.ts";

let dir: string;
const file = (name: string) => readFile(join(dir, name), "utf8");
const blob = async (name: string) => Buffer.from((await file(name)).split(" ")[1] ?? "", "base64");
const keygen = (...args: string[]) => run("ssh-keygen", ["-q", ...args], { cwd: dir, timeoutMs: 30_000 });
const key = (name: string, type: string) => keygen("-t", type, "-N", "", "-f", name);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-certificate-"));
  await Promise.all([key("host", "ed25519"), key("other", "ed25519")]);
  await Promise.all(["ed25519", "ecdsa", "rsa"].map((type) => key(`ca-${type}`, type)));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const sign = async (authority: string, ...args: string[]) => {
  await keygen("-s", authority, "-I", "m1", ...args, "host.pub");
  return blob("host-cert.pub");
};
const wanted = async (authority: string) => ({
  host: "m1",
  key: await blob("host.pub"),
  authorities: [(await blob(`${authority}.pub`)).toString("base64")],
  revoked: [],
  nowMs: Date.now(),
});

it.each(["ca-ed25519", "ca-ecdsa", "ca-rsa"])(
  "what %s signed for a host's name and key counts",
  async (authority) => {
    const signed = await sign(authority, "-h", "-n", "m1,10.0.0.1");
    const right = await wanted(authority);
    expect(certifies(signed, right)).toBe(true);
    expect(certifies(signed, { ...right, host: "10.0.0.1" })).toBe(true);
    expect(certifies(signed, { ...right, host: "m2" })).toBe(false);
    expect(certifies(signed, { ...right, key: await blob("other.pub") })).toBe(false);
    expect(certifies(signed, { ...right, authorities: [(await blob("other.pub")).toString("base64")] })).toBe(
      false,
    );
    expect(certifies(signed, { ...right, revoked: right.authorities })).toBe(false);
    for (const at of [40, 100, signed.length - 5]) {
      const forged = Buffer.from(signed);
      forged[at] = (forged[at] ?? 0) ^ 1;
      expect(certifies(forged, right), `byte ${at}`).toBe(false);
    }
    expect(certifies(signed.subarray(0, -9), right)).toBe(false);
  },
);

it("a user's certificate, one without names, and one of another time vouch for nothing", async () => {
  const right = await wanted("ca-ed25519");
  expect(certifies(await sign("ca-ed25519", "-n", "m1"), right)).toBe(false);
  expect(certifies(await sign("ca-ed25519", "-h"), right)).toBe(false);
  const short = await sign("ca-ed25519", "-h", "-n", "m1", "-V", "-1h:+1h");
  expect(certifies(short, right)).toBe(true);
  expect(certifies(short, { ...right, nowMs: right.nowMs + 2 * 3_600_000 })).toBe(false);
  expect(certifies(short, { ...right, nowMs: right.nowMs - 2 * 3_600_000 })).toBe(false);
});

it("takes certificates alone from the output of ssh-keyscan", async () => {
  await sign("ca-ed25519", "-h", "-n", "m1");
  const line = (text: string) => `m1 ${text.trim()}`;
  const text = ["# m1:22 SSH-2.0", line(await file("host.pub")), line(await file("host-cert.pub")), ""].join(
    "\n",
  );
  expect(scanned(text)).toEqual([await blob("host-cert.pub")]);
  expect(scanned(await file("host-cert.pub"))).toEqual([await blob("host-cert.pub")]);
});
