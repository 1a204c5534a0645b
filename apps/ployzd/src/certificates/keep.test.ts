import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificateKey } from "@ployz/primitives/protocol";
import { expect, it, onTestFinished } from "vitest";
import { PloyzError } from "../error-codes.ts";
import { openCertificateFiles } from "../state/certificates.ts";
import { type KeepDeps, keepCertificates } from "./keep.ts";

const entry = (name: string) => ({
  ...{ key: certificateKey(name), revision: 1 },
  value: { name, names: [name], at: "", fingerprint: "f", sealed: { namespace: "n", name, version: "1" } },
});

it("a certificate whose key is lost keeps no other from the gateway", async () => {
  const dir = await mkdtemp(join(tmpdir(), "keep-"));
  const gatewaySocket = join(dir, "gateway.sock");
  let asked = 0;
  const gateway = createServer((_, response) => {
    asked++;
    response.end(JSON.stringify({ served: true }));
  });
  await new Promise<void>((resolve) => gateway.listen(gatewaySocket, resolve));
  const stop = new AbortController();
  onTestFinished(async () => {
    stop.abort();
    gateway.close();
    await rm(dir, { recursive: true });
  });
  const entries = ["a.test", "lost.test", "z.test"].map(entry);
  const files = openCertificateFiles(join(dir, "certificates"));
  const read: KeepDeps["secrets"]["read"] = async ([secret]) => {
    if (secret?.name === "lost.test")
      throw new PloyzError({ code: "secret_lost", message: "lost", hint: "set it again" });
    return ["pem"];
  };
  const deps: Partial<Record<keyof KeepDeps, unknown>> = {
    facts: { list: async () => entries },
    mirror: { facts: () => [], onChange: () => () => {} },
    ...{ secrets: { read }, files, gatewaySocket, signal: stop.signal, log: () => {} },
  };
  const kept = keepCertificates(deps as KeepDeps);
  expect(await kept.serve("z.test", stop.signal)).toBe(true);
  expect((await files.list()).map(({ name }) => name).sort()).toEqual(["a.test", "z.test"]);
  const before = asked;
  await expect(kept.serve("lost.test", stop.signal)).rejects.toMatchObject({ code: "secret_lost" });
  expect(asked).toBeGreaterThan(before);
});
