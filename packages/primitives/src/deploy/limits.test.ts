import fc from "fast-check";
import { expect, test } from "vitest";
import { LIMITS } from "../model/limits.ts";
import { type LimitCase, limitCases, limitManifest } from "../testing/limit-cases.ts";
import { apply, bundlesOf, emptyWorld, manifestInput } from "../testing/scenarios/change.ts";
import { deployPrimitive } from "./index.ts";

const SOURCE = { bundle: "./empty" };

async function deploy(values: readonly LimitCase["at"][], mode: "apply" | "preview") {
  const manifest = limitManifest(values, SOURCE);
  const world = await emptyWorld(["m1"]);
  return apply(world, deployPrimitive, { manifest, bundles: bundlesOf(manifest) }, mode);
}

/** What an operator would read: the fields that are refused. */
const fields = (outcome: Awaited<ReturnType<typeof deploy>>): readonly string[] =>
  outcome.kind === "refused"
    ? outcome.refusals.map(({ code, message }) =>
        code === "invalid_input" ? (message.split(": ")[0] ?? "") : code,
      )
    : [];

test.each(limitCases.map((one) => [one.name, one] as const))(
  "%s is deployed, and one more is refused",
  async (_, one) => {
    if (one.onPaperOnly !== true) expect(await deploy([one.at], "apply")).toMatchObject({ state: "done" });
    const refused = fields(await deploy([one.beyond], "preview"));
    expect(refused).not.toEqual([]);
    for (const field of refused) expect(field).toContain(one.field.split(".").at(-1));
  },
);

const some = fc.subarray([...limitCases.filter(({ onPaperOnly }) => onPaperOnly !== true)]);

test("any limits together are planned, and one beyond is refused for its field", async () => {
  await fc.assert(
    fc.asyncProperty(some, fc.constantFrom(...limitCases), async (chosen, over) => {
      const at = await deploy(
        chosen.map((one) => one.at),
        "preview",
      );
      // Two that are good alone may be too much together: then it says so, perhaps before it reads the store.
      if (at.kind !== "plan") {
        expect(fields(at).every((field) => /volumes|env|memory/.test(field))).toBe(true);
        return;
      }
      const beyond = fields(await deploy([...chosen.map((one) => one.at), over.beyond], "preview"));
      expect(beyond.some((field) => field.includes(over.field.split(".").at(-1) ?? ""))).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test("45 instances with 224 KiB of environment are one message, and each gets all of it", async () => {
  const world = await emptyWorld(["m1"]);
  const env = Object.fromEntries("abcdefg".split("").map((name) => [name, name.repeat(LIMITS.word)]));
  const manifest = limitManifest([], SOURCE);
  const web = { ...SOURCE, command: ["x"], replicas: 45, env };
  const input = { manifest: { ...manifest, volumes: {}, services: { web } }, bundles: bundlesOf(manifest) };
  const outcome = await apply(world, deployPrimitive, input);
  expect(outcome).toMatchObject({ state: "done" });
  const journal = await world.ports.store.journals.read("operation" in outcome ? outcome.operation : "");
  for (const entry of journal) expect(JSON.stringify(entry).length).toBeLessThan(LIMITS.word * 10);
  const started = [...world.memory.machine("m1").instances.values()];
  expect(started).toHaveLength(45);
  for (const { start } of started) expect(start).toMatchObject({ env, command: ["x"] });
});

test("a plan that is no message of the store is refused", async () => {
  const env = Object.fromEntries(
    Array.from({ length: 31 }, (_, index) => [`V${index}`, "v".repeat(LIMITS.word)]),
  );
  const one = { ...SOURCE, command: ["x"], env };
  const services = Object.fromEntries("abcdefghi".split("").map((name) => [name, one]));
  const input = {
    manifest: { namespace: "prod", services },
    bundles: bundlesOf({ namespace: "prod", services }),
  };
  const refused = await apply(await emptyWorld(["m1"]), deployPrimitive, input, "preview");
  expect(refused).toMatchObject({ kind: "refused", refusals: [{ code: "plan_too_large" }] });
});

test("more instances than the machines have addresses for are refused", async () => {
  const input = manifestInput('[services.web]\nbundle = "./x"\ncommand = ["x"]\nreplicas = 254');
  const refused = await apply(await emptyWorld(["m1"]), deployPrimitive, input, "preview");
  expect(refused).toMatchObject({ kind: "refused", refusals: [{ code: "no_machine_fits" }] });
});
