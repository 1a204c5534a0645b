import { describe, expect, it } from "vitest";
import { interpretProbe } from "./capabilities.ts";
import { parseFuseMounts } from "./fuse.ts";
import { parsePoolDevices, parsePoolList, parseProperties, toDataset } from "./parse.ts";
import { parseTokenGuid } from "./resume.ts";

const table = (rows: readonly (readonly [string, string, string?])[]) =>
  rows.map(([property, value, source = "-"]) => `tx/a\t${property}\t${value}\t${source}\n`).join("");

it("reads the snapshot that a resume token continues", () => {
  const said =
    "resume token contents:\nnvlist version: 0\n\tobject = 0x2\n\ttoguid = 0xdeadbeef00000001\n\ttoname = tank/a@s\n";
  expect(parseTokenGuid(said)).toBe("16045690981097406465");
  expect(
    parseTokenGuid("cannot resume send: 'tank/a@s' used in the initial send no longer exists"),
  ).toBeUndefined();
});

describe("zfs get", () => {
  const text = table([
    ["type", "filesystem"],
    ["guid", "13494963046227818736"],
    ["creation", "1795437259"],
    ["used", "352256"],
    ["available", "10133504"],
    ["referenced", "122880"],
    ["mounted", "yes"],
    ["quota", "0", "default"],
    ["refquota", "1048576", "local"],
    ["mountpoint", "/srv/a", "inherited from tx"],
    ["origin", "-"],
    ["ployz:volume", "prod/a", "local"],
    ["ployz:note", "with\ttab", "local"],
    ["ployz:owner", "op1", "inherited from tx"],
    ["com.sun:auto", "on", "received"],
  ]);

  it("becomes a dataset with numbers, absences, and only its own user properties", () => {
    const found = parseProperties(`${text}foreign tail of a value\n`).get("tx/a");
    if (found === undefined) throw new Error("not parsed");
    const { properties: _, ...dataset } = toDataset("tx/a", found);
    expect(dataset).toEqual({
      name: "tx/a",
      type: "filesystem",
      guid: "13494963046227818736",
      createdAt: 1_795_437_259_000,
      usedBytes: 352_256,
      availableBytes: 10_133_504,
      referencedBytes: 122_880,
      refquotaBytes: 1_048_576,
      mountpoint: "/srv/a",
      mounted: true,
      user: { "ployz:volume": "prod/a", "ployz:note": "with\ttab", "com.sun:auto": "on" },
    });
    expect(found.get("ployz:owner")).toEqual({ value: "op1", source: "inherited" });
  });

  it("a dataset that ZFS does not mount has no mountpoint", () => {
    for (const mountpoint of ["none", "legacy", "-"]) {
      const rows = parseProperties(
        table([
          ["type", "filesystem"],
          ["guid", "1"],
          ["mountpoint", mountpoint],
        ]),
      );
      expect(toDataset("tx/a", rows.get("tx/a") ?? new Map())).not.toHaveProperty("mountpoint");
    }
  });
});

describe("zpool", () => {
  it("list, exact and rounded", () => {
    expect(parsePoolList("tx\t18390338298619527953\tONLINE\t262144000\n")).toEqual([
      { name: "tx", guid: "18390338298619527953", health: "ONLINE", sizeBytes: 262_144_000 },
    ]);
    expect(parsePoolList("tx\t1\tDEGRADED\t250M\n")).toEqual([{ name: "tx", guid: "1", health: "DEGRADED" }]);
    expect(parsePoolList("no pools available\n")).toEqual([]);
  });

  it("status, its devices only", () => {
    const status =
      "  pool: tx\n state: ONLINE\n  scan: scrub of /nothing\nconfig:\n\n\tNAME  STATE READ WRITE CKSUM\n\ttx  ONLINE 0 0 0\n\t  mirror-0 ONLINE 0 0 0\n\t    /tmp/a.img  ONLINE 0 0 0\n\t    /dev/disk/by-id/x  ONLINE 0 0 0\n\nerrors: No known data errors\n";
    expect(parsePoolDevices(status)).toEqual(["/tmp/a.img", "/dev/disk/by-id/x"]);
  });
});

describe("the probe", () => {
  const out = (stdout: string, stderr = "", exitCode = stderr === "" ? 0 : 1) => ({
    stdout,
    stderr,
    exitCode,
  });
  const none = out("", "x");

  it("knows OpenZFS with its module", () => {
    const probe = interpretProbe(
      out("zfs-2.1.11-1\nzfs-kmod-2.1.11-1\n"),
      out("This system supports ZFS pool feature flags.\n"),
      false,
    );
    expect(probe).toMatchObject({
      available: true,
      capabilities: { implementation: "openzfs", version: "2.1.11-1" },
    });
    expect(probe.available && probe.capabilities.features.has("resume_tokens")).toBe(true);
  });

  it.each([
    [
      "module not loaded",
      out("zfs-2.1.11-1\n", "The ZFS modules are not loaded.\n"),
      none,
      /modprobe zfs/,
      false,
    ],
    ["too old", out("zfs-0.8.3-1\nzfs-kmod-0.8.3-1\n"), out(""), /upgrade/, false],
    [
      "zfs-fuse stopped",
      out("", "connect: No such file or directory\nPlease make sure that the zfs-fuse daemon is running.\n"),
      none,
      /start/,
      true,
    ],
    [
      "not root",
      out("", "connect: Permission denied\ninternal error: failed to initialize ZFS library\n"),
      none,
      /root/,
      false,
    ],
    ["unknown", out("", "unrecognized command 'version'\n", 2), out("?"), /install OpenZFS/, false],
  ])("says what to do: %s", (_, version, upgrade, hint, startable) => {
    expect(interpretProbe(version, upgrade, true)).toMatchObject({
      available: false,
      hint: expect.stringMatching(hint),
      startable,
    });
  });

  it("knows a running zfs-fuse", () => {
    const probe = interpretProbe(
      out("", "unrecognized command 'version'\nusage: …", 2),
      out("This system is currently running ZFS pool version 23.\n"),
      true,
    );
    expect(probe).toMatchObject({
      available: true,
      capabilities: { implementation: "zfs-fuse", poolVersion: 23 },
    });
  });
});

it("reads FUSE mounts with blanks in their paths", () => {
  expect(parseFuseMounts("proc /proc proc rw 0 0\ntx/a /mnt/my\\040data fuse.zfs rw 0 0\n")).toEqual([
    { dataset: "tx/a", path: "/mnt/my data" },
  ]);
});
