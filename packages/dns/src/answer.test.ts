import { expect, it } from "vitest";
import { answerQuestion } from "./answer.ts";
import { projectZone, type ZoneRecords } from "./zone.ts";

const records: ZoneRecords = {
  services: [
    {
      namespace: "prod",
      service: "web",
      instances: [
        { id: "prod/web/a1", address: "10.101.1.2", ports: { http: 8080 } },
        { id: "prod/web/a2", address: "10.101.2.2", ports: { http: 8081 } },
      ],
    },
    { namespace: "prod", service: "idle", instances: [] },
    { namespace: "v6", service: "web", instances: [{ id: "a", address: "fd00::1", ports: {} }] },
  ],
  machines: [{ name: "m1", address: "10.101.1.1" }],
};
const zone = projectZone(records, { overlay: "10.101.0.0/16" });
const ask = (name: string, type = "A", turn = 0) => answerQuestion(zone, name, type, turn);
const data = (name: string, type = "A", turn = 0) =>
  ask(name, type, turn)?.answers.map((one) => ("data" in one ? one.data : undefined));

it("gives all instances of a service, each in turn first", () => {
  expect(data("web.prod.cluster.local")).toEqual(["10.101.1.2", "10.101.2.2"]);
  expect(data("web.prod.cluster.local", "A", 1)).toEqual(["10.101.2.2", "10.101.1.2"]);
  expect(data("web.prod.cluster.local", "A", 2)).toEqual(["10.101.1.2", "10.101.2.2"]);
});

it("spells the owner as it was asked, whatever the case", () => {
  expect(ask("WeB.prod.Cluster.LOCAL")?.answers[0]?.name).toBe("WeB.prod.Cluster.LOCAL");
});

it("gives ports as SRV, with the addresses of the targets", () => {
  const reply = ask("_http._tcp.web.prod.cluster.local", "SRV");
  expect(reply?.answers.map((one) => one.type === "SRV" && one.data)).toEqual([
    { priority: 0, weight: 1, port: 8080, target: "a1.web.prod.cluster.local" },
    { priority: 0, weight: 1, port: 8081, target: "a2.web.prod.cluster.local" },
  ]);
  expect(reply?.additionals.map((one) => [one.name, one.type === "A" && one.data])).toEqual([
    ["a1.web.prod.cluster.local", "10.101.1.2"],
    ["a2.web.prod.cluster.local", "10.101.2.2"],
  ]);
});

it("names single instances and machines, both ways", () => {
  expect(data("a2.web.prod.cluster.local")).toEqual(["10.101.2.2"]);
  expect(data("m1.machine.cluster.local")).toEqual(["10.101.1.1"]);
  expect(data("2.2.101.10.in-addr.arpa", "PTR")).toEqual(["a2.web.prod.cluster.local"]);
  expect(data("web.v6.cluster.local", "AAAA")).toEqual(["fd00::1"]);
});

it.each([
  ["web.prod.cluster.local", "AAAA", "NOERROR"],
  ["a1.web.prod.cluster.local", "AAAA", "NOERROR"],
  ["idle.prod.cluster.local", "AAAA", "NOERROR"],
  ["m1.machine.cluster.local", "AAAA", "NOERROR"],
  ["m9.machine.cluster.local", "AAAA", "NXDOMAIN"],
  ["web.prod.cluster.local", "TXT", "NOERROR"],
  ["idle.prod.cluster.local", "A", "NOERROR"],
  ["prod.cluster.local", "A", "NOERROR"],
  ["_tcp.web.prod.cluster.local", "SRV", "NOERROR"],
  ["machine.cluster.local", "A", "NOERROR"],
  ["cluster.local", "A", "NOERROR"],
  ["1.101.10.in-addr.arpa", "PTR", "NOERROR"],
  ["nope.prod.cluster.local", "A", "NXDOMAIN"],
  ["_grpc._tcp.web.prod.cluster.local", "SRV", "NXDOMAIN"],
  ["web.staging.cluster.local", "A", "NXDOMAIN"],
  ["9.9.101.10.in-addr.arpa", "PTR", "NXDOMAIN"],
])("says %s %s is %s, with the SOA", (name, type, rcode) => {
  const reply = ask(name, type);
  expect(reply).toMatchObject({ rcode, answers: [] });
  expect(reply?.authorities.map((one) => one.type)).toEqual(["SOA"]);
});

it("has SOA and NS at the apex, and gives no transfers", () => {
  expect(ask("cluster.local", "SOA")?.answers).toHaveLength(1);
  expect(ask("cluster.local", "NS")?.answers).toHaveLength(1);
  expect(ask("cluster.local", "AXFR")?.rcode).toBe("REFUSED");
});

it.each(["example.com", "local", "notcluster.local", "1.0.0.127.in-addr.arpa", ""])(
  "leaves %s to others",
  (name) => {
    expect(ask(name)).toBeUndefined();
  },
);

it.each([
  [{ services: [{ namespace: "a.b", service: "web", instances: [] }] }],
  [{ services: [{ namespace: "prod", service: "-web", instances: [] }] }],
  [
    {
      services: [
        { namespace: "prod", service: "w", instances: [{ id: "x y", address: "10.0.0.1", ports: {} }] },
      ],
    },
  ],
  [
    {
      services: [{ namespace: "prod", service: "w", instances: [{ id: "x", address: "10.0.0", ports: {} }] }],
    },
  ],
  [
    {
      services: [
        {
          namespace: "prod",
          service: "w",
          instances: [{ id: "x", address: "10.0.0.1", ports: { "a b": 1 } }],
        },
      ],
    },
  ],
  [{ services: [], machines: [{ name: "x".repeat(64), address: "10.0.0.1" }] }],
])("skips what cannot be a DNS name, and serves all else: %j", (bad: ZoneRecords) => {
  const good = { id: "0", address: "10.0.0.9", ports: { http: 80 } };
  const services = [...bad.services, { namespace: "shop", service: "web", instances: [good] }];
  const { names, skipped } = projectZone({ ...bad, services });
  expect(skipped).toHaveLength(1);
  expect(names.get("web.shop.cluster.local")).toMatchObject([{ type: "A", data: "10.0.0.9" }]);
  expect(names.has("_http._tcp.web.shop.cluster.local")).toBe(true);
});
