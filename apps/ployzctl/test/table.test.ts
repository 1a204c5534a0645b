import { expect, it } from "vitest";
import { table } from "../src/output/page.ts";
import { drawTable } from "../src/output/table.ts";
import { columns, wrap } from "../src/output/wrap.ts";

const plain = (cell: string | { readonly text: string }) => (typeof cell === "string" ? cell : cell.text);
const machines = table(
  "machine",
  ["MACHINE", "STATE", "REGION", "NOTE"],
  [
    ["m1", { text: "active", tone: "ok" }, "eu", "everything is well with this one"],
    ["m10", "down", "us", "no answer"],
  ],
  { empty: "none", drop: ["REGION", "STATE"] },
);

it("shows all columns where there is room", () => {
  expect(drawTable(machines, plain)).toEqual({
    hidden: [],
    lines: [
      "MACHINE  STATE   REGION  NOTE",
      "m1       active  eu      everything is well with this one",
      "m10      down    us      no answer",
    ],
  });
});

it("drops columns in the table's order, no more than needed", () => {
  expect(drawTable(machines, plain, 50)).toMatchObject({ hidden: ["REGION"] });
  expect(drawTable(machines, plain, 42)).toMatchObject({ hidden: ["REGION", "STATE"] });
});

it("wraps between words when no column is left to drop", () => {
  expect(drawTable(machines, plain, 28)).toEqual({
    hidden: ["REGION", "STATE"],
    lines: ["MACHINE  NOTE", "m1       everything is well", "         with this one", "m10      no answer"],
  });
});

it("breaks texts between words, and puts a long name above its text", () => {
  expect(wrap("one two  three", 7)).toEqual(["one two", "three"]);
  expect(wrap("a-word-that-does-not-fit in", 5)).toEqual(["a-word-that-does-not-fit", "in"]);
  expect(
    columns(
      [
        ["--a", "short"],
        ["--a-flag-that-is-longer-than-its-column", "below"],
      ],
      40,
    ),
  ).toEqual(["  --a   short", "  --a-flag-that-is-longer-than-its-column", "        below"]);
});
