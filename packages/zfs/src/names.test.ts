import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { argv } from "./argv.ts";
import { checkDatasetName, checkPoolName, checkSnapshotName, checkUserProperty } from "./names.ts";
import { nativeProperties, sameValue } from "./properties.ts";

const code = (text: string) => expect.objectContaining({ code: text });
const hostile = [
  "",
  "-r",
  "tank/-r",
  "tank/../x",
  "tank//x",
  "tank/x/",
  "/tank",
  "tank/a b",
  "tank/a;rm",
  "tank/$(x)",
  "tank/a\nb",
  "tank/a\0b",
  "tank/ü",
  "tank/a%b",
  `tank/${"x".repeat(65_536)}`,
  "1tank/a",
  "mirror/a",
  "raidz2",
  "c0t0d0/a",
];

describe("names", () => {
  it.each(["tank", "tank/ployz", "tank/ployz/prod.pgdata_1:x-y", "t/1"])("takes the dataset %j", (name) => {
    expect(checkDatasetName(name)).toBe(name);
  });

  it.each([...hostile, "tank/a@b"])("refuses the dataset %j", (name) => {
    expect(() => checkDatasetName(name)).toThrow(code("name_invalid"));
    expect(() => argv.destroy(name.replaceAll("@", "#"), true)).toThrow(code("name_invalid"));
  });

  it.each(["tank", "tank@", "@x", "tank@a@b", "tank@-x", "tank@a/b", "-t@x"])(
    "refuses the snapshot %j",
    (name) => {
      expect(() => checkSnapshotName(name)).toThrow(code("name_invalid"));
    },
  );

  it("no accepted name can be taken for an option or split a line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 20 }), (text) => {
        for (const check of [checkPoolName, checkDatasetName, checkSnapshotName]) {
          try {
            check(text);
          } catch {
            continue;
          }
          expect(text).toMatch(/^[A-Za-z][\x21-\x7e]*$/);
        }
      }),
    );
  });
});

describe("properties", () => {
  it("become what zfs set takes", () => {
    expect(
      nativeProperties({
        quotaBytes: 1024,
        refquotaBytes: "none",
        recordsizeBytes: 16_384,
        mountpoint: "/srv/data/",
        atime: false,
        compression: "lz4",
        user: { "ployz:volume": "prod/pgdata" },
      }),
    ).toEqual({
      quota: "1024",
      refquota: "none",
      recordsize: "16384",
      mountpoint: "/srv/data",
      atime: "off",
      compression: "lz4",
      "ployz:volume": "prod/pgdata",
    });
  });

  it.each([
    { quotaBytes: 0 },
    { quotaBytes: 1.5 },
    { quotaBytes: Number.NaN },
    { recordsizeBytes: 1000 },
    { mountpoint: "relative" },
    { mountpoint: "/a/../b" },
    { mountpoint: "/a\nb" },
    { user: { nocolon: "x" } },
    { user: { "-o:x": "x" } },
    { user: { "ployz:x": "-" } },
    { user: { "ployz:x": "a\tb" } },
    { user: { "ployz:x": "" } },
  ])("refuses %j", (properties) => {
    expect(() => nativeProperties(properties)).toThrow(code("property_invalid"));
  });

  it("a lifted limit reads 0", () => {
    expect(sameValue("none", "0")).toBe(true);
    expect(sameValue("none", "none")).toBe(true);
    expect(sameValue("1024", "0")).toBe(false);
    expect(sameValue("on", undefined)).toBe(false);
  });

  it("user values may hold what does not break a line", () => {
    expect(() => checkUserProperty("ployz:owner", "a=b c; $(x) \"'")).not.toThrow();
  });
});
