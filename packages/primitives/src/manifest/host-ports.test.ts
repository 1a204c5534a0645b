import { expect, test } from "vitest";
import { normalise } from "./normalise.ts";
import { parseManifest } from "./parse.ts";
import { renderManifest } from "./render.ts";
import { instanceRevision } from "./revision.ts";

const manifest = (ports: string, more = "") =>
  parseManifest(
    `namespace = "prod"
[services.web]
bundle = "./web"
command = ["web"]
ports = { http = 8080 }
host_ports = [${ports}]
${more}`,
    "toml",
  );
const faults = (ports: string, more = ""): readonly string[] => {
  const parsed = manifest(ports, more);
  return parsed.ok ? [] : parsed.refusals.map(({ message }) => message);
};
const specOf = (ports: string, more = "") => {
  const parsed = manifest(ports, more);
  if (!parsed.ok) throw new Error(parsed.refusals[0]?.message);
  const spec = normalise(parsed.manifest).services.web;
  if (spec === undefined) throw new Error("no service");
  const { image: _, ...rest } = spec;
  return { ...rest, bundle: { digest: `sha256:${"0".repeat(64)}` } };
};

test("ports, protocols and addresses have one form, and make a service stop first", () => {
  const spec = specOf(
    '{ port = 9001, protocol = "udp" }, { port = 9000, address = "0.0.0.0" }, { port = 9001, to = "http" }',
  );
  expect(spec).toMatchObject({
    update: "stop-first",
    hostPorts: [
      { protocol: "tcp", port: 9000, to: "http" },
      { protocol: "tcp", port: 9001, to: "http" },
      { protocol: "udp", port: 9001, to: "http" },
    ],
  });
  expect(specOf("{ port = 9000 }", 'update = "start-first"').update).toBe("start-first");
  expect(specOf("").update).toBe("start-first");
});

test.each([
  ["{ port = 22 }", "[0].port: port 22 is kept for SSH"],
  ["{ port = 443 }", "[0].port: port 443 is kept for the gateway"],
  ['{ port = 9000, to = "htp" }', '[0].to: the service has no port "htp"'],
  ['{ port = 9000, address = "127.0.0.1" }', "[0].address: packets of loopback cannot be led to an instance"],
  ["{ port = 0 }", "[0].port: must be"],
  ['{ port = 9000, protocol = "sctp" }', "[0].protocol"],
])("%s is refused", (ports, message) => {
  expect(faults(ports)).toEqual([expect.stringContaining(`services.web.host_ports${message}`)]);
});

test("one port of one address is given once", () => {
  const other = '{ port = 9000, address = "192.0.2.1" }';
  expect(faults(`{ port = 9000 }, ${other}`)).toHaveLength(2);
  expect(
    faults(`${other}, { port = 9000, address = "192.0.2.2" }, { port = 9000, protocol = "udp" }`),
  ).toEqual([]);
});

test("a job has none", () => {
  const parsed = parseManifest(
    'namespace = "a"\n[jobs.j]\nimage = "x"\nhost_ports = [{ port = 9000 }]\n',
    "toml",
  );
  expect(parsed.ok ? [] : parsed.refusals.map(({ message }) => message)).toEqual([
    expect.stringContaining("jobs.j.host_ports"),
  ]);
});

test("a change of them is a change of the instance, and a rendered manifest has them", () => {
  const [one, other] = [specOf("{ port = 9000 }"), specOf('{ port = 9000, address = "192.0.2.1" }')];
  expect(instanceRevision(one)).not.toBe(instanceRevision(other));
  const text = renderManifest({
    namespace: "prod",
    services: { web: { revision: "", spec: other } },
    jobs: {},
    volumes: [],
  });
  expect(text).not.toContain("update");
  const again = parseManifest(text, "toml");
  expect(again.ok && normalise(again.manifest).services.web?.hostPorts).toEqual(other.hostPorts);
});
