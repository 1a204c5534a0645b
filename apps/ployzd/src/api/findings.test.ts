import { expect, it } from "vitest";
import {
  disksFinding,
  firewallFinding,
  nameserversFinding,
  networkFinding,
  servedFinding,
} from "./findings.ts";

const head = (namespace: string, revision: number) => ({ revision, commit: { namespace } });

it("the network is ok, was put right, is fought over, or cannot be put right", () => {
  const kept = { repaired: [], remaining: [] };
  expect(networkFinding(kept, [])).toMatchObject({ state: "ok" });
  expect(networkFinding({ ...kept, repaired: ["ip_forward is off"] }, [])).toMatchObject({
    state: "warn",
    found: expect.stringContaining("ip_forward"),
  });
  const drift = [{ what: "ployz-wg0: route replace 10.101.2.0/24", times: 3, at: "" }];
  expect(networkFinding(kept, drift)).toMatchObject({
    state: "warn",
    fix: expect.stringContaining("ManageForeignRoutes"),
  });
  expect(networkFinding({ ...kept, remaining: ["bridge"] }, drift)).toMatchObject({ state: "fail" });
  const volume = "volume ns.data.aaaaaaaa: mounted again";
  expect(
    networkFinding({ repaired: [volume], remaining: [volume, "store: takes no write"] }, [
      { what: volume, times: 9, at: "" },
    ]),
  ).toMatchObject({ state: "ok" });
});

it("a closed filter is named with the rules to add", () => {
  expect(firewallFinding([])).toMatchObject({ state: "ok" });
  const closed = { where: "the INPUT chain of iptables", loses: ["instances lose DNS"], fix: "iptables -I" };
  expect(firewallFinding([closed])).toEqual({
    state: "fail",
    found: "the INPUT chain of iptables drops packets: instances lose DNS",
    fix: "iptables -I",
  });
});

it("nameservers: none, some that answer, all", () => {
  const one = { address: "192.0.2.1", silent: false };
  const two = { address: "192.0.2.2", silent: true };
  expect(nameserversFinding({ upstreams: [] })).toMatchObject({ state: "warn" });
  expect(nameserversFinding({ upstreams: [two] })).toMatchObject({ state: "fail" });
  expect(nameserversFinding({ upstreams: [one, two] })).toMatchObject({
    state: "warn",
    found: "192.0.2.2 of 192.0.2.1, 192.0.2.2 does not answer",
  });
  expect(nameserversFinding({ upstreams: [one] })).toMatchObject({ state: "ok" });
});

it("the fullest disk decides", () => {
  const disk = (path: string, freeBytes: number) => ({ path, freeBytes, totalBytes: 100 * 2 ** 30 });
  expect(disksFinding([disk("/a", 50 * 2 ** 30)])).toMatchObject({ state: "ok" });
  expect(disksFinding([disk("/a", 50 * 2 ** 30), disk("/b", 5 * 2 ** 30)])).toMatchObject({
    state: "warn",
    found: "5 GiB of 100 GiB free in /b",
  });
  expect(disksFinding([disk("/a", 5 * 2 ** 30), disk("/b", 0)])).toMatchObject({ state: "fail" });
  const run = (freeBytes: number) => ({ path: "/run", freeBytes, totalBytes: 200 * 2 ** 20 });
  expect(disksFinding([run(150 * 2 ** 20)])).toMatchObject({ state: "ok" });
  expect(disksFinding([run(10 * 2 ** 20)])).toMatchObject({
    state: "fail",
    found: "10 MiB of 200 MiB free in /run",
  });
});

it("gateway and DNS are compared with the last commits", () => {
  const applied = { prod: 4, shop: 7 };
  const heads = [head("prod", 4), head("shop", 7)];
  expect(servedFinding({ applied, status: {} }, heads)).toMatchObject({ found: "serves prod, shop" });
  expect(servedFinding({ applied, status: {} }, [head("prod", 5)])).toMatchObject({
    state: "fail",
    found: "serves older commits: prod at 4, not 5",
  });
  expect(servedFinding({ applied, status: { down: ["prod/web/http web.0"] } }, heads)).toMatchObject({
    state: "warn",
    found: "servers are DOWN: prod/web/http web.0",
  });
  expect(servedFinding({ applied, status: { policy: "changed" } }, heads)).toMatchObject({ state: "fail" });
  expect(servedFinding({ applied, status: { state: "stopped" } }, heads)).toMatchObject({ state: "fail" });
});
