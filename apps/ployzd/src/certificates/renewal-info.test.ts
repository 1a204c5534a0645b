import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { expect, onTestFinished, test } from "vitest";
import { askWindow, certificateId, renewalInfoOf } from "./renewal-info.ts";

/** A certificate for 127.0.0.1 and its key, as PEM. */
async function selfSigned(...more: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "ployz-authority-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
    ...["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert, ...more],
  ]);
  return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
}

async function authority(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const own = await selfSigned();
  const server = createServer(own, answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    options: { roots: [own.cert], signal: new AbortController().signal },
  };
}

test("a certificate is known by its issuer's key and its serial number", async () => {
  // The example of RFC 9773, 4.1: the number's first bit is set, so that its encoding begins with a zero.
  const { cert } = await selfSigned("-set_serial", "0x87654321");
  const [issuer = "", serial] = certificateId(cert)?.split(".") ?? [];
  expect(serial).toBe("AIdlQyE");
  const { stdout } = await run("openssl", ["x509", "-noout", "-ext", "authorityKeyIdentifier"], {
    input: cert,
  });
  const key = /[0-9A-F]{2}(:[0-9A-F]{2}){19}/.exec(stdout)?.[0] ?? "";
  expect(Buffer.from(issuer, "base64url").toString("hex")).toBe(key.replaceAll(":", "").toLowerCase());
});

test("the window comes with the time of the next look, within bounds", async () => {
  let retry: string | undefined = "600";
  let body = '{"suggestedWindow":{"start":"2026-03-01T00:00:00Z","end":"2026-03-03T00:00:00Z"}}';
  const { url, options } = await authority((_, response) => {
    response.writeHead(200, retry === undefined ? {} : { "retry-after": retry }).end(body);
  });
  const days = { from: Date.parse("2026-03-01"), to: Date.parse("2026-03-03") };
  expect(await askWindow(`${url}/x`, options)).toEqual({ ...days, againMs: 600_000 });
  for (const [text, againMs] of [
    ["1", 60_000],
    ["9999999", 86_400_000],
    ["soon", 21_600_000],
    [undefined, 21_600_000],
  ] as const) {
    retry = text;
    expect((await askWindow(`${url}/x`, options)).againMs).toBe(againMs);
  }
  for (const wrong of [
    "{}",
    "[]",
    "null",
    "<html>",
    '{"suggestedWindow":{"start":"x","end":"2026-03-03T00:00:00Z"}}',
    '{"suggestedWindow":{"start":"2026-03-03T00:00:00Z","end":"2026-03-01T00:00:00Z"}}',
    `"${"x".repeat(100_000)}"`,
  ]) {
    body = wrong;
    await expect(askWindow(`${url}/x`, options)).rejects.toThrow();
  }
});

test("a directory tells where, or tells nothing; without a connection there is an error", async () => {
  let status = 200;
  let body: object = { newOrder: "https://a.test/order" };
  const { url, options } = await authority((_, response) => {
    response.writeHead(status).end(JSON.stringify(body));
  });
  expect(await renewalInfoOf(url, options)).toBeUndefined();
  body = { renewalInfo: "http://a.test/renewal" };
  expect(await renewalInfoOf(url, options)).toBeUndefined();
  body = { renewalInfo: "https://a.test/renewal" };
  expect(await renewalInfoOf(url, options)).toBe("https://a.test/renewal");
  status = 503;
  expect(await renewalInfoOf(url, options)).toBeUndefined();
  await expect(renewalInfoOf(url, { ...options, roots: [] })).rejects.toThrow(/certificate/);
});
