import { PloyzError } from "@ployz/errors";
import { expect, test } from "vitest";
import type { Commands } from "../../participant/commands.ts";
import type { Machines } from "../../ports/machines.ts";
import type { MachineFact } from "./facts.ts";
import { findImages } from "./images.ts";
import { missingImage } from "./missing.ts";

type Setting = {
  /** Digest by machine. */
  readonly local?: Readonly<Record<string, string>>;
  /** The registry's answer, or its error. */
  readonly registry?: string | Error;
  readonly committed?: string;
  readonly pull?: "always" | "committed";
  readonly ref?: string;
  /** Since when each machine's tag means its digest. */
  readonly at?: Readonly<Record<string, string>>;
  /** Machines that have the committed digest, whatever the tag means there. */
  readonly holding?: readonly string[];
};

/** Two machines that run Docker and one that does not, where `local` says what each has. */
async function find(setting: Setting) {
  const { local = {}, registry, committed, pull, ref = "app:v1", at = {}, holding = [] } = setting;
  const asked: string[] = [];
  const machines: Machines = {
    async call(machine, command, args) {
      const { pull: mode, ref: wanted } = args as Commands["image.resolve"]["args"];
      asked.push(`${machine} ${mode}`);
      if (wanted.startsWith("sha256:") && mode === "never")
        return (holding.includes(machine) ? { digest: wanted, sizeBytes: 1 } : null) as never;
      const digest = mode === "never" ? local[machine] : (mode === "missing" && local[machine]) || registry;
      if (digest instanceof Error) throw digest;
      const found =
        digest === undefined ? null : { digest, sizeBytes: 1, ...(at[machine] && { at: at[machine] }) };
      if (command !== "image.resolve") throw new Error(`unexpected ${command}`);
      return found as never;
    },
  };
  const answering = [
    { id: "m1", runtime: "docker" },
    { id: "m2", runtime: "docker" },
    { id: "m3", runtime: "process" },
  ].map(({ id, runtime }) => ({ record: { id }, observation: { runtime } }) as MachineFact);
  const found = await findImages([ref], answering, new Map(committed ? [[ref, committed]] : []), {
    machines,
    signal: new AbortController().signal,
    pull: pull ?? "missing",
  });
  return { image: found.get(ref), asked };
}

test("a digest that a machine has is used without a query to the registry", async () => {
  const { image, asked } = await find({ local: { m2: "sha256:a" }, registry: "sha256:z" });
  expect(image).toMatchObject({ digest: "sha256:a", holders: ["m2"] });
  expect(asked).toEqual(["m1 never", "m2 never"]);
});

test("the registry is queried when no machine has it, or with pull = always", async () => {
  const only = { digest: "sha256:z", holders: ["m1"], registry: true };
  expect((await find({ registry: "sha256:z" })).image).toMatchObject(only);
  const always = await find({ local: { m1: "sha256:a" }, registry: "sha256:z", pull: "always" });
  expect(always.image).toMatchObject({ digest: "sha256:z" });
});

test("a tag that was rebuilt on one machine means the new build, with a warning", async () => {
  const { image } = await find({ local: { m1: "sha256:old", m2: "sha256:new" }, committed: "sha256:old" });
  expect(image).toMatchObject({
    digest: "sha256:new",
    holders: ["m2"],
    warning: expect.stringContaining("app:v1"),
  });
});

test("a tag that means two new things is not guessed at", async () => {
  const { image } = await find({ local: { m1: "sha256:a", m2: "sha256:b" } });
  expect(image).toMatchObject({ holders: [], ambiguous: [{ machine: "m1" }, { machine: "m2" }] });
  expect(image?.digest).toBeUndefined();
});

test("a missing image lists the places searched, and keeps its committed digest for running instances", async () => {
  const registry = new PloyzError({ code: "registry_unreachable", message: "no route to the registry" });
  const { image } = await find({ registry, committed: "sha256:old" });
  expect(image).toMatchObject({ digest: "sha256:old", holders: [] });
  expect(image?.tried).toEqual([
    { machine: "m1", reason: "not there" },
    { machine: "m2", reason: "not there" },
    { machine: "m1", reason: "no route to the registry", code: "registry_unreachable" },
    { machine: "m2", reason: "no route to the registry", code: "registry_unreachable" },
  ]);
});

test("of several pushes of one tag the newest counts, also over an older one that is not committed", async () => {
  const { image } = await find({
    local: { m1: "sha256:new", m2: "sha256:old" },
    at: { m1: "2026-01-02T00:00:00Z", m2: "2026-01-01T00:00:00Z" },
    committed: "sha256:new",
  });
  expect(image).toMatchObject({ digest: "sha256:new", holders: ["m1"], at: "2026-01-02T00:00:00Z" });
});

test("a committed digest that a machine has needs neither its tag nor a registry", async () => {
  const registry = new PloyzError({ code: "registry_unreachable", message: "no route to the registry" });
  const gone = await find({ registry, committed: "sha256:c", holding: ["m2"] });
  expect(gone.image).toMatchObject({ digest: "sha256:c", holders: ["m2"] });
  expect(gone.image?.warning).toContain("using the committed digest");
  const kept = await find({
    ...{ local: { m1: "sha256:moved" }, registry: "sha256:z", committed: "sha256:c", holding: ["m2"] },
    pull: "committed",
  });
  expect(kept.image).toMatchObject({ digest: "sha256:c", holders: ["m2"] });
  expect(kept.image?.warning).toBeUndefined();
  expect(kept.asked).toEqual(["m1 never", "m2 never"]);
});

test("an image that its registry lacks and a registry that gives no answer are two refusals", async () => {
  const refusal = async (registry?: Error) =>
    missingImage(
      "services.web.image",
      "app:v1",
      (await find(registry === undefined ? {} : { registry })).image,
    );
  expect(await refusal()).toMatchObject({ code: "image_missing" });
  for (const code of ["registry_unreachable", "registry_denied", "registry_rate_limited"] as const) {
    const found = await refusal(new PloyzError({ code, message: `${code} there` }));
    expect(found).toMatchObject({ code, message: expect.stringContaining(`m1, m2: ${code} there`) });
    expect(found.message.split(`${code} there`)).toHaveLength(2);
    expect(found.message).not.toContain("not in its registry");
  }
  for (const code of ["image_invalid", "image_platform_missing"] as const) {
    const found = await refusal(new PloyzError({ code, message: `${code} there`, hint: "build it again" }));
    expect(found).toMatchObject({ code, hint: "build it again" });
    expect(found.message).toContain(`cannot be used: ${code} there`);
  }
});
