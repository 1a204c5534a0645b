import { PloyzError } from "@ployz/errors";
import { expect, test } from "vitest";
import type { Commands } from "../../participant/commands.ts";
import type { Machines } from "../../ports/machines.ts";
import type { MachineFact } from "./facts.ts";
import { findImages } from "./images.ts";

type Setting = {
  /** Digest by machine. */
  readonly local?: Readonly<Record<string, string>>;
  /** The registry's answer, or its error. */
  readonly registry?: string | Error;
  readonly committed?: string;
  readonly pull?: "always";
  readonly ref?: string;
};

/** Two machines that run Docker and one that does not, where `local` says what each has. */
async function find({ local = {}, registry, committed, pull, ref = "app:v1" }: Setting) {
  const asked: string[] = [];
  const machines: Machines = {
    async call(machine, command, args) {
      const { pull: mode } = args as Commands["image.resolve"]["args"];
      asked.push(`${machine} ${mode}`);
      const digest = mode === "never" ? local[machine] : (mode === "missing" && local[machine]) || registry;
      if (digest instanceof Error) throw digest;
      const found = digest === undefined ? null : { digest, sizeBytes: 1 };
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
  expect((await find({ registry: "sha256:z" })).image).toMatchObject({ digest: "sha256:z", holders: ["m1"] });
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
    { machine: "m1", reason: "no route to the registry" },
    { machine: "m2", reason: "no route to the registry" },
  ]);
});
