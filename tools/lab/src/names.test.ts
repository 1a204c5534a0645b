import { describe, expect, it } from "vitest";
import {
  checkLabName,
  defaultLabName,
  labNetns,
  machineAddress,
  machineMac,
  machineNetns,
  maxMachines,
} from "./names.ts";

describe("names", () => {
  it.each(["", "-a", "A", "a.m1", "a/b", "../x", "a b", "x".repeat(33), "a\n"])("refuses %j", (name) => {
    expect(() => checkLabName(name)).toThrow(expect.objectContaining({ code: "lab_name_invalid" }));
  });

  it("gives no lab's network the name of another lab's machine", () => {
    expect(labNetns(checkLabName("a-m1"))).not.toBe(machineNetns(checkLabName("a"), 1));
    expect(() => checkLabName(machineNetns("a", 1))).toThrow();
  });

  it("defaults to one lab per checkout and user", () => {
    const here = defaultLabName(import.meta.dirname, 0);
    expect(here).toBe(defaultLabName(`${import.meta.dirname}/..`, 0));
    expect(here).not.toBe(defaultLabName(import.meta.dirname, 1000));
    expect(here).not.toBe(defaultLabName("/nowhere", 0));
    expect(checkLabName(here)).toBe(here);
  });

  it("gives every machine its own address and MAC, the same each time", () => {
    const all = Array.from({ length: maxMachines }, (_, i) => i + 1);
    expect(new Set(all.map((i) => machineAddress("a", i))).size).toBe(maxMachines);
    expect(new Set(all.map((i) => machineMac("a", i))).size).toBe(maxMachines);
    expect(machineMac("a", 200)).toBe(machineMac("a", 200));
    expect(machineMac("a", 200)).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  });
});
