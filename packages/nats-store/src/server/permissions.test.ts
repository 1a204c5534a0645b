import { describe, expect, it } from "vitest";
import { streams } from "../names.ts";
import { permissionsFor } from "./permissions.ts";

/** Subject matching with NATS wildcards. */
function matches(pattern: string, subject: string): boolean {
  const [want, have] = [pattern.split("."), subject.split(".")];
  for (const [at, token] of want.entries()) {
    if (token === ">") return have.length > at;
    if (have[at] === undefined || (token !== "*" && token !== have[at])) return false;
  }
  return want.length === have.length;
}

const may = (list: readonly string[], subject: string) => list.some((pattern) => matches(pattern, subject));

describe("permissionsFor", () => {
  const machine = permissionsFor("c1", { machine: "m2", role: "machine" });
  const store = permissionsFor("c1", { machine: "m1", role: "store" });

  it("lets a machine call everybody and write commits, facts, leases and journals", () => {
    for (const subject of [
      "ployz.v1.c1.rpc.m1.instance.start",
      "ployz.v1.c1.commit.prod",
      "ployz.v1.c1.journal.01ABC",
      "$KV.ployz_facts.machine.m2",
      "$KV.ployz_leases.deploy.prod",
    ]) {
      expect(may(machine.publish, subject), subject).toBe(true);
    }
    expect(may(machine.publish, "ployz.v1.other.rpc.m1.instance.start")).toBe(false);
  });

  it("lets a machine hear only its own commands and inbox", () => {
    expect(machine.subscribe).toEqual(["ployz.v1.c1.rpc.m2.>", "_INBOX_m2.>"]);
  });

  it("lets a machine answer its members' calls, and write into no other inbox", () => {
    const { publish } = permissionsFor("c1", { machine: "m2", role: "machine" }, { members: ["m1", "m2"] });
    for (const subject of ["_INBOX_m1.ab3.r", "_INBOX_m1.ab3.c", "_INBOX_m2.ab3.r"])
      expect(may(publish, subject), subject).toBe(true);
    for (const subject of ["_INBOX_m1.ab3", "_INBOX_m1.ab3.xyz", "_INBOX_m4.ab3.r", "$KV.ployz_secrets.r"])
      expect(may(publish, subject), subject).toBe(false);
  });

  it("lets no member delete, purge or restore, and only store machines create, update, copy and read secrets", () => {
    for (const stream of Object.values(streams)) {
      for (const verb of ["DELETE", "PURGE", "MSG.DELETE", "RESTORE"]) {
        expect(may([...machine.publish, ...store.publish], `$JS.API.STREAM.${verb}.${stream}`)).toBe(false);
      }
      for (const verb of ["CREATE", "UPDATE", "SNAPSHOT"]) {
        expect(may(machine.publish, `$JS.API.STREAM.${verb}.${stream}`)).toBe(false);
        expect(may(store.publish, `$JS.API.STREAM.${verb}.${stream}`)).toBe(true);
      }
    }
    expect(machine.publish.filter((subject) => subject.includes("secrets"))).toEqual([]);
    expect(may(store.publish, `$JS.API.STREAM.MSG.GET.${streams.secrets}`)).toBe(true);
  });

  it("lets no member write into a generation that does not serve; its own machines restore into a founding one", () => {
    for (const access of ["fenced", "founding"] as const) {
      for (const role of ["machine", "store"] as const) {
        const { publish, subscribe } = permissionsFor("c1", { machine: "m1", role }, { access });
        // Which machines hold the new store is written into it, by them, before it opens.
        const written = role === "store" && access === "founding" ? ["$KV.ployz_facts.>"] : [];
        expect(publish.filter((subject) => !/^\$JS\.|\.rpc\./.test(subject))).toEqual(written);
        expect(publish.filter((subject) => /STREAM\.(CREATE|UPDATE|DELETE|PURGE)/.test(subject))).toEqual([]);
        expect(publish.some((subject) => subject.includes("RESTORE"))).toBe(
          role === "store" && access === "founding",
        );
        expect(may(publish, "ployz.v1.c1.rpc.m2.machine.observe")).toBe(true);
        expect(subscribe).toEqual(permissionsFor("c1", { machine: "m1", role }).subscribe);
      }
    }
  });
});
