import { describe, expect, it } from "vitest";
import { setField } from "./config.ts";

describe("setField", () => {
  it.each([
    ["an empty file", "", 'region = "eu"\n'],
    ["another field", "# mine\naz = 'a'\n", `# mine\naz = 'a'\nregion = "eu"\n`],
    ["the field", "region = 'us' # old\naz = 'a'\n", `region = "eu"\naz = 'a'\n`],
    ["the same value", "region = 'eu' # kept\n", "region = 'eu' # kept\n"],
    ["a table", '[storage]\nzfs_root = "tank"\n', 'region = "eu"\n[storage]\nzfs_root = "tank"\n'],
    ["a namesake in a table", '[storage]\nregion = "x"\n', 'region = "eu"\n[storage]\nregion = "x"\n'],
  ])("in %s", (_what, before, after) => {
    expect(setField(before, "region", "eu")).toBe(after);
  });

  it.each([
    ["an empty file", "", 'storage.zfs_root = "t/p"\n'],
    [
      "its table",
      "[storage]\novercommit_ratio = 2\n[store]\n",
      '[storage]\novercommit_ratio = 2\nzfs_root = "t/p"\n[store]\n',
    ],
    ["its table, set", "[storage] # mine\nzfs_root = 'x'\n", '[storage] # mine\nzfs_root = "t/p"\n'],
    [
      "a file with another table",
      "[store]\nserver = '/x'\n",
      "storage.zfs_root = \"t/p\"\n[store]\nserver = '/x'\n",
    ],
    ["a dotted field", "storage.zfs_root = 'x'\n", 'storage.zfs_root = "t/p"\n'],
    ["the same value", "[storage]\nzfs_root = 't/p' # kept\n", "[storage]\nzfs_root = 't/p' # kept\n"],
  ])("of a table, in %s", (_what, before, after) => {
    expect(setField(before, "storage.zfs_root", "t/p")).toBe(after);
  });

  it("quotes what it writes", () => {
    const listens = ["0.0.0.0:80", "[::]:80"];
    const both = setField('gateway_listen = "0.0.0.0:80"\n', "gateway_listen", listens);
    expect(both).toBe('gateway_listen = ["0.0.0.0:80", "[::]:80"]\n');
    expect(setField(both, "gateway_listen", listens)).toBe(both);
    expect(setField("", "region", 'a"\nruntime = "b')).toBe('region = "a\\"\\nruntime = \\"b"\n');
  });
});
