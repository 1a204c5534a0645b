import { expect, test } from "vitest";
import { numbersOf, readDevices } from "./devices.ts";

test("a device has its numbers, and another kind of file is refused", async () => {
  expect(await readDevices("x", { devices: { "/dev/zilch": "/dev/null" } })).toEqual([
    expect.objectContaining({ path: "/dev/zilch", type: "c", major: 1, minor: 3 }),
  ]);
  for (const path of ["/dev/none", "/etc/hostname", "/dev/../etc"])
    await expect(readDevices("x", { devices: { "/dev/a": path } })).rejects.toMatchObject({
      code: "mount_source_missing",
    });
});

test.each([
  [0x0000_0103, 1, 3],
  [0x0010_e501, 0xe5, 0x101],
  [2 ** 32 + 0x0103, 0x1001, 3],
])("%d is device %d:%d", (rdev, major, minor) => expect(numbersOf(rdev)).toEqual({ major, minor }));
