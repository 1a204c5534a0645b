import { type VolumeImportInput, volumeImport } from "@ployz/primitives";
import type { VolumeFile } from "@ployz/primitives/client";
import { expect, test } from "vitest";
import { importInput } from "./volume-files.ts";

const FILE: VolumeFile = {
  ...{ cluster: "prod-1", namespace: "prod", volume: "data", version: "1.0.0" },
  ...{ spec: { scope: "single", quotaBytes: 2 ** 30 }, exportedAt: "2026-01-01T00:00:00.000Z" },
  snapshot: { name: "s", guid: "7" },
};
const ASKED = { namespace: "stats", volume: "copy", mode: "apply", by: "me@here" } as const;
const UPLOAD = { machine: "m1", id: "upload-1" };
/** As the API delivers it: nothing has checked the type. */
const parse = (input: unknown) => volumeImport.parse(input as VolumeImportInput);

test("the file decides the volume's properties, and the operator its name and machine", () => {
  const input = importInput(ASKED, [FILE], UPLOAD);
  expect(input).toEqual({
    ...{
      namespace: "stats",
      volume: "copy",
      machine: "m1",
      scope: "single",
      quotaBytes: 2 ** 30,
      upload: UPLOAD,
    },
    exported: { namespace: "prod", volume: "data", snapshot: "s", guid: "7" },
  });
  expect(parse(input)).toMatchObject({ ok: true });
  const sly = { ...FILE, spec: { ...FILE.spec, namespace: "prod", volume: "data", machine: "m3" } };
  expect(importInput({ ...ASKED, machine: "m2" }, [sly], UPLOAD)).toMatchObject({
    ...{ namespace: "stats", volume: "copy", machine: "m2" },
  });
});

test("a field that no volume has is refused by its name", () => {
  const odd = { ...FILE, spec: { ...FILE.spec, colour: "red" } } as VolumeFile;
  expect(parse(importInput(ASKED, [odd], UPLOAD))).toMatchObject({
    ...{ ok: false, refusals: [{ code: "invalid_input", message: expect.stringContaining("colour") }] },
  });
});

test("of several files, the last one is what the volume becomes, and the sizes are added", () => {
  const later: VolumeFile = {
    ...{ ...FILE, bytes: 20, base: FILE.snapshot, snapshot: { name: "t", guid: "8" } },
    spec: { scope: "single", quotaBytes: 2 ** 31 },
  };
  const input = importInput(ASKED, [{ ...FILE, bytes: 300 }, later], UPLOAD);
  expect(input).toMatchObject({
    quotaBytes: 2 ** 31,
    exported: { snapshot: "t", guid: "8", bytes: 320, earlier: [{ name: "s", guid: "7" }] },
  });
  expect(parse(input)).toMatchObject({ ok: true });
});
