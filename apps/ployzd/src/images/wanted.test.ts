import { expect, it } from "vitest";
import { openWanted } from "./wanted.ts";

it("content that an operation requests after the look stays", async () => {
  const wanted = openWanted();
  await wanted.want("before");
  const watch = wanted.watch();
  await wanted.want("since");
  const gone: string[] = [];
  const remove = (digest: string) =>
    watch.unlessWanted([digest, `${digest}-config`], async () => void gone.push(digest));
  expect([await remove("before"), await remove("since"), await remove("other")]).toEqual([true, false, true]);
  expect(gone).toEqual(["before", "other"]);
});

it("who asks during a removal waits for its end, also when it fails", async () => {
  const wanted = openWanted();
  const order: string[] = [];
  let end = () => {};
  const gate = new Promise<void>((_resolve, reject) => {
    end = () => reject(new Error("disk"));
  });
  const removal = wanted.watch().unlessWanted(["one"], () => gate);
  const asked = wanted.want("one").then(() => order.push("asked"));
  await wanted.want("two").then(() => order.push("two"));
  end();
  await expect(removal).rejects.toThrow("disk");
  await asked;
  expect(order).toEqual(["two", "asked"]);
});
