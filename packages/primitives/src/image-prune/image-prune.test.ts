import { expect, test } from "vitest";
import { imageRm } from "../image-rm/index.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import { apply, type World, worldWithShop } from "../testing/scenarios/change.ts";
import { imagePrune } from "./index.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

/** Two machines with images; m1 also runs one of them. */
async function world(): Promise<World> {
  const shop = await worldWithShop(["m1", "m2"]);
  for (const [id, letters] of [
    ["m1", "abc"],
    ["m2", "a"],
  ] as const)
    for (const letter of letters) shop.memory.machine(id).images.add(digest(letter));
  const m1 = shop.memory.machine("m1");
  const [running] = [...m1.instances.values()];
  if (running === undefined) throw new Error("nothing runs on m1");
  const image = { ref: "web:v1", digest: digest("c") };
  m1.instances.set(running.start.id, { ...running, start: { ...running.start, image } });
  return shop;
}
const imagesOf = ({ memory }: World) =>
  memory.all.map(({ id, images }) => `${id} ${[...images].map((one) => one.slice(7, 8)).join("")}`);

test("prune removes from each machine the images that nothing needs, and says what", async () => {
  const one = await world();
  expect(await apply(one, imagePrune, {})).toMatchObject({
    state: "done",
    output: {
      machines: [
        { machine: "m1", removed: [digest("a"), digest("b")], freedBytes: 2_000_000 },
        { machine: "m2", removed: [digest("a")] },
      ],
    },
  });
  expect(imagesOf(one)).toEqual(["m1 c", "m2 "]);
  expect(await apply(one, imagePrune, {})).toMatchObject({ changed: false });
});

test("prune leaves out a machine that does not answer, and one that was not named", async () => {
  const one = await world();
  one.memory.machine("m1").reachable = false;
  expect(await apply(one, imagePrune, {})).toMatchObject({ state: "done" });
  expect(imagesOf(one)).toEqual(["m1 abc", "m2 "]);
  one.memory.machine("m1").reachable = true;
  expect(await apply(one, imagePrune, { machines: ["m2"] })).toMatchObject({ changed: false });
  expect(await apply(one, imagePrune, { machines: ["m7"] })).toMatchObject({
    refusals: [{ code: "no_such_machine" }],
  });
});

test("rm removes one image everywhere, or on the named machines", async () => {
  const one = await world();
  expect(await apply(one, imageRm, { ref: digest("a"), machines: ["m2"] })).toMatchObject({ state: "done" });
  expect(imagesOf(one)).toEqual(["m1 abc", "m2 "]);
  expect(await apply(one, imageRm, { ref: digest("a") })).toMatchObject({
    output: { images: [{ machine: "m1" }], freedBytes: 1_000_000 },
  });
  expect(imagesOf(one)).toEqual(["m1 bc", "m2 "]);
});

test("rm refuses an image that something needs, and one that is nowhere", async () => {
  const one = await world();
  expect(await apply(one, imageRm, { ref: digest("c") })).toMatchObject({
    refusals: [{ code: "image_in_use", message: expect.stringContaining("prod/") }],
  });
  expect(await apply(one, imageRm, { ref: "web:v9" })).toMatchObject({
    refusals: [{ code: "image_missing" }],
  });
  one.memory.machine("m2").reachable = false;
  expect(await apply(one, imageRm, { ref: "web:v9" })).toMatchObject({
    refusals: [{ code: "machine_unreachable" }],
  });
  expect(await apply(one, imageRm, { ref: "Not An Image" })).toMatchObject({
    refusals: [{ code: "invalid_input" }],
  });
  expect(imagesOf(one)).toEqual(["m1 abc", "m2 a"]);
});

test("under every fault", { timeout: 400_000 }, async () => {
  const inspect = async (at: World) => imagesOf(at);
  const prune = { primitive: imagePrune, input: {}, world, inspect };
  expect(await checkPrimitive(prune, { every: 7 })).toEqual([]);
  const rm = { primitive: imageRm, input: { ref: digest("a") }, world, inspect };
  expect(await checkPrimitive(rm, { every: 7 })).toEqual([]);
});
