import { describe, expect, it } from "vitest";
import type { MachineRecord } from "../model/machine.ts";
import type { RemoteFacts } from "../ports/remote.ts";
import { planned, refusalsOf } from "../testing/planned.ts";
import { CLUSTER, memberRecord, PAYLOAD } from "../testing/scenarios/machine-add.ts";
import type { MachineAddInput } from "./input.ts";
import type { MachineAddFacts } from "./observe.ts";
import * as machineAdd from "./plan.ts";
import { nameOf } from "./refuse.ts";
import { selfOf } from "./seat.ts";

const plan = (input: MachineAddInput, of: MachineAddFacts) => planned(machineAdd.plan(input, of));
const refuse = (input: MachineAddInput, of: MachineAddFacts) => refusalsOf(machineAdd.plan(input, of));

const INPUT: MachineAddInput = { target: { user: "root", host: "203.0.113.7", port: 22 } };

const REMOTE: RemoteFacts = {
  ...{
    hostKey: "SHA256:x",
    hostname: "m3",
    os: "Debian GNU/Linux 12",
    arch: "x64",
    root: true,
    systemd: true,
  },
  ...{ diskFreeBytes: 2 ** 34, missingPackages: [], packageManager: "apt", dockerRunning: false },
  ...{ portsTaken: [], routes: ["192.0.2.0/24"] },
};

function facts(remote: Partial<RemoteFacts> = {}, more: Partial<MachineAddFacts> = {}): MachineAddFacts {
  const machines = [memberRecord("m1", 1), memberRecord("m2", 2)];
  return {
    ...{ cluster: CLUSTER, clusterRevision: 1, takenIndexes: new Set([1, 2]), reachable: ["m1", "m2"] },
    machines: machines.map((record, i) => ({ record, revision: i + 2 })),
    ...{ remote: { ...REMOTE, ...remote }, payload: PAYLOAD, unsigned: [], storePort: 4222 },
    plan: (index) => (index > 4 ? undefined : { subnet: `s${index}`, address: `a${index}` }),
    ...more,
  };
}

const withRecord = (record: MachineRecord) => ({
  machines: [...facts().machines, { record, revision: 9 }],
});
const there = (more: object) => ({ ployz: { version: "1.0.0", build: "build-1", ...more } });

describe("refuses", () => {
  it.each<[string, Partial<RemoteFacts>, Partial<MachineAddFacts>, Partial<MachineAddInput>]>([
    ["not_root", { root: false }, {}, {}],
    ["arch_unsupported", { arch: "other" }, {}, {}],
    ["arch_differs", { arch: "arm64" }, {}, {}],
    ["other_cluster", there({ cluster: "else-1", machine: "x" }), {}, {}],
    ["name_taken", { hostname: "m2" }, {}, {}],
    ["name_taken", {}, {}, { name: "m1" }],
    [
      "already_member",
      there({ cluster: CLUSTER.id, machine: "m2", joinedBy: "founding" }),
      {},
      { name: "m9" },
    ],
    ["machine_joining", {}, withRecord(memberRecord("m3", 3, { state: "joining", operation: "01X" })), {}],
    [
      "machine_joining",
      there({ cluster: CLUSTER.id, machine: "m3", joinedBy: "01X" }),
      withRecord(memberRecord("m3", 3, { state: "joining", operation: "01X" })),
      { name: "m9" },
    ],
    ["store_machine_unreachable", {}, { reachable: ["m2"] }, {}],
    ["packages_missing", { missingPackages: ["haproxy"], packageManager: "none" }, {}, {}],
    ["port_taken", { portsTaken: ["udp/51820 (named)"] }, {}, {}],
    ["payload_unsigned", {}, { unsigned: ["here"] }, {}],
    ["payload_unsigned", {}, { unsigned: ["there"] }, {}],
    ["disk_full", { diskFreeBytes: 1000 }, {}, {}],
    ["docker_unavailable", {}, {}, { runtime: "docker" }],
    ["cidr_overlap", { routes: ["10.101.7.0/24"] }, {}, {}],
    ["cidr_overlap", { routes: ["10.0.0.0/8"] }, {}, {}],
    ["subnets_exhausted", {}, { takenIndexes: new Set([1, 2, 3, 4]) }, {}],
  ])("%s", (code, remote, more, input) => {
    const refusals = refuse({ ...INPUT, ...input }, facts(remote, more));
    expect(refusals.map((refusal) => refusal.code)).toEqual([code]);
    expect(refusals[0]?.message).toContain("root@203.0.113.7");
    expect(refusals[0]?.hint).toBeTruthy();
  });

  it("nothing of a machine that fits, nor of one that is a member already", () => {
    expect(refuse(INPUT, facts())).toEqual([]);
    const member = facts({ ...there({ cluster: CLUSTER.id, machine: "m2" }), root: false, hostname: "m2" });
    expect(refuse(INPUT, member)).toEqual([]);
    expect(plan(INPUT, member)).toMatchObject({ changes: false, prepare: [], summary: { machine: "m2" } });
  });

  it("flags that would change a member, instead of ignoring them", () => {
    const member = (zfsRoot?: string) =>
      facts({ ...there({ cluster: CLUSTER.id, machine: "m2" }), hostname: "m2" }, zfsRoot ? { zfsRoot } : {});
    const asked = { ...INPUT, zfsRoot: "tank/ployz" };
    expect(plan(asked, member("tank/ployz"))).toMatchObject({ changes: false });
    for (const root of [undefined, "tank/other"])
      expect(refuse(asked, member(root))).toMatchObject([
        { code: "already_member", hint: expect.stringContaining("daemon install --zfs-root tank/ployz") },
      ]);
    expect(refuse({ ...INPUT, region: "elsewhere" }, member())).toMatchObject([
      { code: "already_member", message: expect.stringContaining("--region") },
    ]);
  });

  it("neither routes nor ports that an unfinished add made, nor routes that are no networks", () => {
    const half = { ...there({ cluster: CLUSTER.id, machine: "m3", joinedBy: "01X" }) };
    const made = { routes: ["10.101.3.0/24"], portsTaken: ["udp/51820"] };
    expect(refuse(INPUT, facts({ ...half, ...made }))).toEqual([]);
    expect(
      refuse(INPUT, facts({ routes: ["unreachable", "0.0.0.0/0", "10.102.0.0/16", "10.100.255.255"] })),
    ).toEqual([]);
  });

  it("all that is wrong at once", () => {
    const refusals = refuse(INPUT, facts({ root: false, diskFreeBytes: 0, portsTaken: ["tcp/80"] }));
    expect(refusals.map(({ code }) => code)).toEqual(["not_root", "port_taken", "disk_full"]);
  });
});

describe("the name", () => {
  it.each([
    ["web.example.test", "web"],
    ["WEB_01", "web-01"],
    ["203-0-113-7", "m203-0-113-7"],
    ["-x-", "x"],
    ["", "m3"],
    ["...", "m3"],
    [`${"a".repeat(62)}-b`, "a".repeat(62)],
    ["$(reboot)\n", "reboot"],
  ])("of host %j is %s", (hostname, name) => expect(nameOf(INPUT, facts({ hostname }))).toBe(name));
});

describe("the plan", () => {
  const ids = (of: MachineAddFacts) => plan(INPUT, of).prepare.map(({ id }) => id);

  it("installs missing packages, and no more", () => {
    expect(ids(facts({ missingPackages: ["haproxy"] }))).toEqual([
      ...["packages", "payload", "daemon", "seat", "peer@m1", "peer@m2", "join", "handshake"],
    ]);
    expect(ids(facts(there({})))).toEqual(["daemon", "seat", "peer@m1", "peer@m2", "join", "handshake"]);
    expect(
      ids(facts(there({ build: "build-0", cluster: CLUSTER.id, machine: "m3", joinedBy: "01X" }))),
    ).toEqual([...["payload", "daemon", "leave", "seat", "peer@m1", "peer@m2", "join", "handshake"]]);
  });

  it("every member adds the peer before it joins, and one that is away is reported", () => {
    const { prepare, warnings } = plan(INPUT, facts({}, { reachable: ["m1"] }));
    expect(prepare.find(({ id }) => id === "join")?.needs).toEqual(["peer@m1"]);
    expect(warnings).toEqual([expect.stringContaining("m2 is not reachable")]);
  });

  it("holds no credentials and is the same for the same facts", () => {
    expect(plan(INPUT, facts())).toEqual(plan(INPUT, facts()));
    expect(JSON.stringify(plan(INPUT, facts()))).not.toMatch(/identity|PRIVATE|agent/i);
  });
});

describe("the membership that the target's daemon reports", () => {
  const good = {
    publicKey: `${"a".repeat(42)}A=`,
    nkey: `U${"A".repeat(55)}`,
    endpoints: ["203.0.113.7:51820", "[2001:db8::7]:51820"],
  };
  it("is taken when it is keys and addresses", () => {
    expect(selfOf({ kind: "self-record", ...good, hostname: "x" }, "h")).toEqual(good);
  });
  it.each([
    null,
    { kind: "absent" },
    { ...good, publicKey: "x\nAllowedIPs = 0.0.0.0/0" },
    { ...good, nkey: "S" },
    { ...good, endpoints: ["a\n:1"] },
    { ...good, endpoints: [7] },
    { ...good, endpoints: Array.from({ length: 99 }, () => "a:1") },
  ])("%j is refused", (document) => {
    expect(() => selfOf(document, "203.0.113.7")).toThrow("203.0.113.7");
  });
});
