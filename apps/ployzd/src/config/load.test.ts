import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, it } from "vitest";
import { parseConfig, withDefaults } from "./load.ts";
import { ConfigSchema } from "./schema.ts";

it("has a schema that is one", () => {
  expect(new Ajv2020().validateSchema(ConfigSchema)).toBe(true);
});

it("takes an empty file", () => {
  expect(withDefaults(parseConfig("", "c.toml"), {}, true)).toMatchObject({
    dataDir: "/var/lib/ployz",
    socket: "/run/ployz/ployzd.sock",
    runDir: "/run/ployz",
    gatewayListen: ["0.0.0.0:80"],
    gatewayHttpsListen: ["0.0.0.0:443"],
    trustedProxies: [],
    clusterCidr: "10.101.0.0/16",
    zfsRoot: undefined,
    overcommitRatio: 1,
    retention: { last: 10, days: 7 },
    refusedRights: [],
    allowed: {
      ...{ capabilities: [], hostPaths: [], devices: [], hostPorts: ["1024-65535"] },
      keptPaths: expect.arrayContaining(["/var/lib/ployz", "/run/ployz", "/var/run/docker.sock"]),
    },
    registries: {},
    logKeep: { days: 30, bytes: 1_073_741_824 },
    accessLog: { all: false, bytes: 268_435_456, port: 4320 },
  });
});

it.each([
  ["regoin = 'eu'", "unknown field regoin"],
  ["[storage]\nzfsroot = 'tank'", "unknown field storage.zfsroot"],
  ["[storage]\novercommit_ratio = 0", "storage.overcommit_ratio"],
  ["[storage]\nzfs_root = '-tank'", "storage.zfs_root"],
  ["[retention]\nlast = 0", "retention.last"],
  ["[retention]\ndays = -1", "retention.days"],
  ["[logs]\nkeep_days = -1", "logs.keep_days"],
  ["[logs]\nkeep_mib = 0.5", "logs.keep_mib"],
  ["[access_log]\nall = 'yes'", "access_log.all"],
  ["[access_log]\nport = 0", "access_log.port"],
  ["wireguard_port = 70000", "wireguard_port"],
  ["gateway_listen = ':80'", 'gateway_listen: ":80" must be ADDRESS:PORT'],
  ["gateway_listen = '999.1.1.1:80'", "gateway_listen"],
  ["trusted_proxies = ['10.0.0.0/8', '10.0.0.0/33']", "trusted_proxies.1"],
  ["trusted_proxies = ['10.0.0.1']", "trusted_proxies.0"],
  ["trusted_proxies = ['2001:db8::/129']", "trusted_proxies.0"],
  ["trusted_proxies = ['10.0.0.0/8', '2001::db8::/32']", "trusted_proxies.1"],
  ["gateway_listen = '0.0.0.0:0'", "gateway_listen"],
  ["gateway_listen = ['0.0.0.0:80', '::1:80']", "gateway_listen.1"],
  [
    "gateway_listen = ['0.0.0.0:80', '[::]:81']",
    'gateway_listen: ["0.0.0.0:80","[::]:81"] has more than one port',
  ],
  ["gateway_listen = []", "gateway_listen"],
  ["dns_forward = ['1.1.1.1:53', '1.1.1.1:99999']", "dns_forward.1"],
  ["cluster_cidr = '10.101.0.0/31'", "cluster_cidr"],
  ["cluster_cidr = '300.101.0.0/16'", "cluster_cidr"],
  ["runtime = 'vm'", 'runtime: "vm" is neither docker nor process'],
  ["region = 'EU;x'", 'region: "EU;x" must be 1 to 63'],
  ["region = 'eu-'", "region"],
  ["[policy]\nhost_ports = ['80-']", 'policy.host_ports.0: "80-" must be a port or a range of them'],
  ["[policy]\nhost_paths = ['/srv/../etc']", 'policy.host_paths.0: "/srv/../etc" must be an absolute path'],
  ["[policy]\ndevices = ['/etc/fuse']", 'policy.devices.0: "/etc/fuse" must be a path below /dev'],
  ["[policy]\ncapabilities = ['ALL']", 'policy.capabilities.0: "ALL" must be one of'],
  ["[policy]\nrefuse = ['rot']", 'policy.refuse.0: "rot" must be one of root'],
  ["[policy]\nisolation = 'maybe'", 'policy.isolation: "maybe" must be one of on, off'],
  ["[registries.'REG;']\ninsecure = true", "unknown field registries.REG;"],
  ["[registries.'r.lan:5000']\ninsecure = 1", "registries.r.lan:5000.insecure"],
  ["[registries.'r.lan:5000']\nmirrors = ['https://m.lan']", "must be a registry's host"],
  ["[registries.'r.lan:5000']\nca = 'x'", "unknown field registries.r.lan:5000.ca"],
  ["data_dir = '/var/lib/a b'", 'data_dir: "/var/lib/a b" must be an absolute path'],
  ["store_port = 4319", "transfer_port and store_port"],
  ['"a\\nb" = 1', "unknown field a\uFFFDb"],
  ["= 3", "c.toml"],
])("names the wrong field in %j", (text, named) => {
  expect(() => parseConfig(text, "c.toml")).toThrow(named);
});

it("lets the environment override the file", () => {
  expect(withDefaults({ region: "eu" }, { PLOYZ_REGION: "us" }, true).region).toBe("us");
});

it("trusts proxies of both families", () => {
  const text = "trusted_proxies = ['10.0.0.0/8', '2001:db8::/32', '::1/128', '::ffff:10.0.0.0/104']";
  expect(withDefaults(parseConfig(text, "c.toml"), {}, true).trustedProxies).toEqual([
    ...["10.0.0.0/8", "2001:db8::/32", "::1/128", "::ffff:10.0.0.0/104"],
  ]);
});

it("takes one listener, several, and none for TLS", () => {
  const listens = (text: string) => {
    const { gatewayListen, gatewayHttpsListen } = withDefaults(parseConfig(text, "c.toml"), {}, true);
    return [gatewayListen, gatewayHttpsListen];
  };
  expect(listens("gateway_listen = '127.0.0.1:8080'\ngateway_https_listen = 'off'")).toEqual([
    ["127.0.0.1:8080"],
    [],
  ]);
  expect(listens("gateway_listen = ['0.0.0.0:80', '[::]:80']\ngateway_https_listen = '[::]:443'")).toEqual([
    ["0.0.0.0:80", "[::]:80"],
    ["[::]:443"],
  ]);
});
