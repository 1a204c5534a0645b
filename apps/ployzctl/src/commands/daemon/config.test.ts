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

  it("quotes what it writes", () => {
    expect(setField("", "region", 'a"\nruntime = "b')).toBe('region = "a\\"\\nruntime = \\"b"\n');
  });
});
