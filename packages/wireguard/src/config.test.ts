import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePeers, peerChanges, renderPeers } from "./config.ts";
import { parseDump } from "./dump.ts";
import { parseDeviceRoutes, parseLink, routeChanges } from "./links.ts";
import { checkPeers, nextEndpoint, type Peer, parseEndpoint } from "./peer.ts";

const key = (n: number) => Buffer.alloc(32, n).toString("base64");
const peer: fc.Arbitrary<Peer> = fc
  .record({
    publicKey: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b).toString("base64")),
    subnets: fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { maxLength: 3 }),
    port: fc.option(fc.integer({ min: 1, max: 65_535 })),
    keepalive: fc.option(fc.integer({ min: 1, max: 65_535 })),
    v6: fc.boolean(),
  })
  .map(({ publicKey, subnets, port, keepalive, v6 }) => ({
    publicKey,
    allowedIps: subnets.map((n) => `10.101.${n}.0/24`),
    ...(port !== null && { endpoint: `${v6 ? "[2001:db8::1]" : "192.0.2.1"}:${port}` }),
    ...(keepalive !== null && { keepaliveSeconds: keepalive }),
  }));

describe("peer configuration", () => {
  it("survives rendering and parsing", () => {
    fc.assert(
      fc.property(fc.array(peer), (peers) => {
        expect(parsePeers(renderPeers(peers))).toEqual(peers);
      }),
    );
  });

  it("holds no key material of this machine", () => {
    expect(renderPeers([{ publicKey: key(1), allowedIps: [] }])).not.toMatch(
      /Interface|PrivateKey|PresharedKey/,
    );
  });

  it.each([
    [[{ publicKey: "short", allowedIps: [] }], "peer_invalid"],
    [[{ publicKey: key(9), allowedIps: [] }], "peer_invalid"],
    [[{ publicKey: key(1), allowedIps: [], endpoint: "host.example:51820" }], "peer_invalid"],
    [[{ publicKey: key(1), allowedIps: [], endpoint: "192.0.2.1:1\nPrivateKey = x" }], "peer_invalid"],
    [[{ publicKey: key(1), allowedIps: ["10.101.1.0/24\n"] }], "cidr_invalid"],
    [[{ publicKey: key(1), allowedIps: ["-x"] }], "cidr_invalid"],
    [[{ publicKey: key(1), allowedIps: [], keepaliveSeconds: 0 }], "peer_invalid"],
    [[1, 1].map((n) => ({ publicKey: key(n), allowedIps: [] })), "peer_conflict"],
    [[1, 2].map((n) => ({ publicKey: key(n), allowedIps: ["10.101.1.0/24"] })), "peer_conflict"],
  ])("refuses %j", (peers, code) => {
    expect(() => checkPeers(peers, key(9))).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ["192.0.2.1:51820", { address: "192.0.2.1", port: 51820 }],
    ["[2001:db8::1]:1", { address: "2001:db8::1", port: 1 }],
    ["2001:db8::1:1", undefined],
    ["192.0.2.1:0", undefined],
    ["192.0.2.1:70000", undefined],
    ["[192.0.2.1]:1", undefined],
  ])("reads the endpoint %s", (text, parsed) => expect(parseEndpoint(text)).toEqual(parsed));
});

describe("peerChanges", () => {
  const live = { receivedBytes: 0, sentBytes: 0 };

  it("touches nothing when all is as wanted", () => {
    fc.assert(
      fc.property(fc.uniqueArray(peer, { selector: (p) => p.publicKey }), (peers) => {
        const present = peers.map((p) => ({ ...live, ...p, allowedIps: [...p.allowedIps].reverse() }));
        expect(peerChanges(present, peers, {})).toEqual({ added: [], changed: [], removed: [] });
      }),
    );
  });

  it("keeps a roamed endpoint while the wish is the same, and resets it when the wish changes", () => {
    const wanted = { publicKey: key(1), allowedIps: ["10.101.1.0/24"], endpoint: "192.0.2.1:1" };
    const roamed = { ...live, ...wanted, endpoint: "192.0.2.9:9" };
    expect(peerChanges([roamed], [wanted], { [key(1)]: "192.0.2.1:1" }).changed).toEqual([]);
    const moved = { ...wanted, endpoint: "192.0.2.2:1" };
    expect(peerChanges([roamed], [moved], { [key(1)]: "192.0.2.1:1" }).changed).toEqual([moved]);
  });
});

describe("what the programs print", () => {
  it("drops both secrets of a dump", () => {
    const dump = parseDump(
      `PRIVATE\t${key(1)}\t51820\toff\n${key(2)}\tPRESHARED\t192.0.2.1:5\t10.1.0.0/24,10.2.0.0/24\t1700000000\t12\t34\t25\n` +
        `${key(3)}\t(none)\t(none)\t(none)\t0\t0\t0\toff\n`,
    );
    expect(JSON.stringify(dump)).not.toMatch(/PRIVATE|PRESHARED/);
    expect(dump).toEqual({
      publicKey: key(1),
      listenPort: 51820,
      peers: [
        {
          publicKey: key(2),
          endpoint: "192.0.2.1:5",
          allowedIps: ["10.1.0.0/24", "10.2.0.0/24"],
          latestHandshake: 1_700_000_000_000,
          receivedBytes: 12,
          sentBytes: 34,
          keepaliveSeconds: 25,
        },
        { publicKey: key(3), allowedIps: [], receivedBytes: 0, sentBytes: 0 },
      ],
    });
  });

  it("reads links", () => {
    const json =
      '[{},{"ifname":"wg0","flags":["POINTOPOINT","UP"],"mtu":1420,"linkinfo":{"info_kind":"tun"},"addr_info":[{"local":"10.1.0.1","prefixlen":32,"scope":"global"},{"local":"fe80::1","prefixlen":64,"scope":"link"}]}]';
    expect(parseLink(json)).toEqual({ kind: "tun", mtu: 1420, up: true, addresses: ["10.1.0.1/32"] });
    expect(parseLink("[]")).toBeUndefined();
  });

  it("turns present routes into wanted ones, additions first", () => {
    const present = parseDeviceRoutes(
      '[{"dst":"10.1.0.0/24","prefsrc":"10.9.0.1","metrics":[{"mtu":1420}]},{"dst":"10.2.0.7"},{"dst":"10.3.0.0/24","prefsrc":"10.9.0.1","metrics":[{"mtu":1280}]}]',
      4,
    );
    const wanted = ["10.1.0.0/24", "10.3.0.0/24"].map((destination) => ({
      destination,
      source: "10.9.0.1",
      mtu: 1420,
    }));
    expect(routeChanges("wg0", present, wanted)).toEqual([
      "route replace 10.3.0.0/24 dev wg0 proto 157 src 10.9.0.1 mtu 1420",
      "route del 10.2.0.7/32 dev wg0 proto 157",
    ]);
    expect(routeChanges("wg0", wanted, wanted)).toEqual([]);
  });
});

it.each([
  [{ endpoint: "a", fallbacks: ["b", "c"] }, "a", "b"],
  [{ endpoint: "a", fallbacks: ["b", "c"] }, "c", "a"],
  [{ endpoint: "a", fallbacks: ["b", "c"] }, "where it has roamed", "a"],
  [{ endpoint: "a" }, "a", undefined],
  [{}, undefined, undefined],
])("of %j, after %s comes %s", (peer, present, next) => {
  expect(nextEndpoint({ publicKey: key(1), allowedIps: [], ...peer }, present)).toBe(next);
});
