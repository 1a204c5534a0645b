import { describe, expect, it } from "vitest";
import { certImport } from "../cert-import/index.ts";
import { certRm } from "../cert-rm/index.ts";
import { certificateFor, certificateKey } from "../model/certificate.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import { apply, deploy, emptyWorld, headOf, inspect, type World } from "../testing/scenarios/change.ts";
import { certIssue } from "./index.ts";

const NAME = "www.example.test";
const fact = async ({ ports }: World, name = NAME) =>
  (await ports.store.facts.get(certificateKey(name)))?.value;
const effects = ({ memory }: World) => memory.all.flatMap((machine) => machine.effects).sort();
const site = (host: string) => `[services.web]
bundle = "./web"
command = ["web"]
ports = { http = 80 }
routes = [{ host = "${host}", tls = true }]
`;

describe("cert issue", () => {
  it("commits the certificate, and every gateway serves it", async () => {
    const world = await emptyWorld();
    expect(await apply(world, certIssue, { names: [NAME, "example.test"] })).toMatchObject({
      ...{ state: "done", changed: true },
      output: { certificate: NAME, notAfter: "2026-04-01T00:00:00Z" },
    });
    expect(await fact(world)).toMatchObject({ name: NAME, names: [NAME, "example.test"], method: "http-01" });
    expect(effects(world)).toEqual([`order ${NAME} example.test`, ...Array(3).fill(`serve ${NAME}`)]);
  });

  it("changes nothing when the names have one, unless it is forced; then the replaced key is forgotten", async () => {
    const world = await emptyWorld(["m1"]);
    await apply(world, certIssue, { names: [NAME] });
    const before = await fact(world);
    expect(await apply(world, certIssue, { names: [NAME] })).toMatchObject({ state: "done", changed: false });
    expect(await apply(world, certIssue, { names: [NAME], force: true })).toMatchObject({ changed: true });
    expect((await fact(world))?.fingerprint).not.toBe(before?.fingerprint);
    expect(effects(world)).toContain(`forget ${before?.sealed.name}`);
  });

  it("replaces a certificate once, whoever comes second", async () => {
    const world = await emptyWorld(["m1"]);
    await apply(world, certIssue, { names: [NAME] });
    const input = { names: [NAME], replaces: (await fact(world))?.fingerprint };
    expect(await apply(world, certIssue, input)).toMatchObject({ changed: true });
    expect(await apply(world, certIssue, input)).toMatchObject({ changed: false });
  });

  it("leaves nothing of a refused order, with the authority's reason", async () => {
    const world = await emptyWorld(["m1"]);
    expect(await apply(world, certIssue, { names: ["www.refused.test"] })).toMatchObject({
      ...{ state: "failed", changed: false },
      error: { code: "certificate_refused", message: expect.stringContaining("www.refused.test") },
    });
    expect(await fact(world, "www.refused.test")).toBeUndefined();
  });

  it("refuses a wildcard without a DNS provider, and names that are none", async () => {
    const world = await emptyWorld(["m1"]);
    expect(await apply(world, certIssue, { names: ["*.example.test"] })).toMatchObject({
      refusals: [{ code: "dns_provider_missing" }],
    });
    expect(await apply(world, certIssue, { names: ["a b"] })).toMatchObject({
      refusals: [{ code: "invalid_input", message: expect.stringMatching(/^names/) }],
    });
  });

  it("is done, or undone, whatever fails meanwhile", async () => {
    const input = { names: [NAME] };
    const seen = async (world: World) => [await inspect(world), (await fact(world))?.name ?? null];
    expect(await checkPrimitive({ primitive: certIssue, input, world: emptyWorld, inspect: seen })).toEqual(
      [],
    );
  });
});

it("a certificate that routes need is not removed; another one is, and its key is forgotten", async () => {
  const world = await emptyWorld(["m1"]);
  await apply(world, certIssue, { names: [NAME] });
  await deploy(world, site(NAME));
  expect(await apply(world, certRm, { name: NAME })).toMatchObject({
    refusals: [{ code: "certificate_in_use", message: `${NAME} is served for prod/web (${NAME})` }],
  });
  await apply(world, certIssue, { names: ["old.test"] });
  const sealed = (await fact(world, "old.test"))?.sealed.name;
  expect(await apply(world, certRm, { name: "old.test" })).toMatchObject({ state: "done", changed: true });
  expect(await apply(world, certRm, { name: "old.test" })).toMatchObject({ state: "done", changed: false });
  expect(await fact(world, "old.test")).toMatchObject({ removed: true });
  expect(effects(world)).toContain(`forget ${sealed}`);
  expect(await apply(world, certRm, { name: "none.test" })).toMatchObject({
    refusals: [{ code: "certificate_missing" }],
  });
});

it("an upload that is not in the store is not imported", async () => {
  const world = await emptyWorld(["m1"]);
  expect(await apply(world, certImport, { name: NAME, sealed: "u0" })).toMatchObject({
    refusals: [{ code: "certificate_missing" }],
  });
});

describe("a deploy with a route over TLS", () => {
  it("gets the missing certificate before its commit, and only then", async () => {
    const world = await emptyWorld(["m1"]);
    expect(await deploy(world, site(NAME))).toMatchObject({
      state: "done",
      output: { certificates: [NAME] },
    });
    expect(effects(world)).toContain(`ensure ${NAME}`);
    expect((await headOf(world)).routes).toMatchObject([{ host: NAME, tls: true }]);
    await apply(world, certIssue, { names: ["*.example.test"], dns: { provider: "x", secret: "prod/x" } });
    expect(await deploy(world, site("other.example.test"))).toMatchObject({ state: "done" });
    expect(effects(world)).not.toContain("ensure other.example.test");
  });

  it("commits nothing when the authority refuses", async () => {
    const world = await emptyWorld(["m1"]);
    expect(await deploy(world, site("www.refused.test"))).toMatchObject({
      ...{ state: "failed", changed: false },
      error: { code: "certificate_refused" },
    });
    expect(await world.ports.store.commits.last("prod")).toBeUndefined();
  });

  it("is refused for a wildcard that no certificate is valid for", async () => {
    const world = await emptyWorld(["m1"]);
    expect(await deploy(world, site("*.example.test"))).toMatchObject({
      refusals: [{ code: "certificate_missing" }],
    });
  });
});

it("a host is served by the certificate of its name, then by the newest, a wildcard last", () => {
  const one = (name: string, names: readonly string[], at: string) => ({ name, names, at });
  const all = [
    one("*.a.test", ["*.a.test"], "4"),
    one("b.test", ["b.test", "x.a.test"], "1"),
    one("c.test", ["c.test", "x.a.test", "b.test"], "2"),
  ];
  const served = (host: string) => certificateFor(host, all)?.name;
  expect(["b.test", "x.a.test", "y.a.test", "a.test", "z.y.a.test", "*.a.test"].map(served)).toEqual([
    ...["b.test", "c.test", "*.a.test", undefined, undefined, "*.a.test"],
  ]);
});
