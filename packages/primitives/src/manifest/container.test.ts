import { expect, test } from "vitest";
import { normalise } from "./normalise.ts";
import { parseManifest } from "./parse.ts";
import { renderManifest } from "./render.ts";
import { instanceRevision } from "./revision.ts";

const manifest = (fields: string, program = 'image = "x"') =>
  `namespace = "prod"\n[services.web]\n${program}\n${fields}`;

function refused(fields: string, program?: string): readonly string[] {
  const parsed = parseManifest(manifest(fields, program), "toml");
  return parsed.ok ? [] : parsed.refusals.map(({ message }) => message);
}

function web(fields: string) {
  const parsed = parseManifest(manifest(fields), "toml");
  if (!parsed.ok) throw new Error(parsed.refusals[0]?.message);
  const { services } = normalise(parsed.manifest);
  return { ...services.web, image: { ref: "x", digest: "sha256:1" } } as never;
}

const ALL = `files = { "/etc/b.conf" = "hello", "/etc/a.conf" = { base64 = "AAE=", mode = "0600", owner = "1000" }, "/run/secrets/db" = { secret = "db" } }
tmpfs = { "/var/cache/x" = "64M" }
read_only = true
shm_size = "256M"
ulimits = { nofile = 1024, core = { soft = 0, hard = 10 } }
cap_drop = ["SETUID", "CHOWN"]
cap_add = ["SYS_NICE", "NET_RAW"]
group_add = ["video", "1001"]
init = true
binds = { "/media" = "/srv/media", "/etc/timezone" = { source = "/etc/timezone", read_only = true } }
devices = { "/dev/ttyS9" = "/dev/serial/by-id/usb-A:1-if00" }
sysctls = { "net.core.somaxconn" = "1024" }
extra_hosts = { "db.internal" = "10.0.0.5" }`;

test("every field has its value in the specification", () => {
  expect(web(ALL)).toMatchObject({
    files: {
      "/etc/a.conf": { base64: "AAE=", mode: 0o600, owner: { uid: 1000, gid: 1000 } },
      "/etc/b.conf": { text: "hello", mode: 0o444 },
      "/run/secrets/db": { secret: "db", mode: 0o444 },
    },
    container: {
      tmpfs: { "/var/cache/x": 64 * 1024 ** 2 },
      readOnly: true,
      shmBytes: 256 * 1024 ** 2,
      ulimits: { nofile: { soft: 1024, hard: 1024 }, core: { soft: 0, hard: 10 } },
      capDrop: ["CHOWN", "SETUID"],
      capAdd: ["NET_RAW", "SYS_NICE"],
      ...{ groupAdd: ["1001", "video"], init: true },
      binds: {
        "/etc/timezone": { source: "/etc/timezone", readOnly: true },
        "/media": { source: "/srv/media" },
      },
      devices: { "/dev/ttyS9": "/dev/serial/by-id/usb-A:1-if00" },
      sysctls: { "net.core.somaxconn": "1024" },
      extraHosts: { "db.internal": "10.0.0.5" },
    },
  });
});

test("a rendered manifest says the same", () => {
  const spec = web(ALL);
  const text = renderManifest({
    ...{ namespace: "prod", jobs: {}, volumes: [] },
    services: { web: { revision: "r", spec } },
  });
  const again = parseManifest(text, "toml");
  expect(again.ok && normalise(again.manifest).services.web).toEqual({ ...(spec as object), image: "x" });
});

test("each of them is another instance, and none of them leaves its revision as it was", () => {
  for (const line of ALL.split("\n")) expect(instanceRevision(web(line))).not.toBe(instanceRevision(web("")));
  expect(instanceRevision(web("files = {}\ntmpfs = {}\nread_only = false\ninit = false\ncap_add = []"))).toBe(
    instanceRevision(web("")),
  );
});

test.each([
  ['files = { "/a" = { text = "x", secret = "y" } }', 'services.web.files."/a": needs exactly one of'],
  ['files = { "/a" = { mode = "0644" } }', 'services.web.files."/a": needs exactly one of'],
  ['files = { "/a" = { path = "x" } }', 'services.web.files."/a".path: is read by `ployzctl deploy` only'],
  ['files = { "/a" = { text = "", mode = "4755" } }', 'services.web.files."/a".mode'],
  ['files = { "/a" = { text = "", owner = "root" } }', 'services.web.files."/a".owner'],
  [
    'files = { "/a" = { text = "", owner = "2147483648" } }',
    'services.web.files."/a".owner: 2147483648 is above',
  ],
  ['files = { "/a" = { text = "x\\u0000" } }', 'services.web.files."/a".text'],
  ['files = { "/a" = 1 }', 'services.web.files."/a"'],
  ['files = { "a" = "" }', "services.web.files"],
  ['files = { "/a/../b" = "" }', "services.web.files"],
  ['files = { "/proc/x" = "" }', 'services.web.files."/proc/x": /proc/x belongs to the instance itself'],
  ['files = { "/etc/hosts" = "" }', 'services.web.files."/etc/hosts": /etc/hosts belongs to the instance'],
  ['files = { "/etc" = "" }', 'services.web.files."/etc": /etc belongs to the instance itself'],
  [
    'files = { "/a" = "", "/a/b" = "" }',
    'services.web.files."/a/b": /a/b and /a of the file lie in one another',
  ],
  ['tmpfs = { "/data" = "1K" }', 'services.web.tmpfs."/data": must be at least 4K, not 1K'],
  ['tmpfs = { "/sys/x" = "1M" }', 'services.web.tmpfs."/sys/x": /sys/x belongs to the instance itself'],
  [
    'tmpfs = { "/x" = "1M", "/x/y" = "1M" }',
    'services.web.tmpfs."/x/y": /x/y and /x of the folder in memory lie in one another',
  ],
  ['shm_size = "1K"', "services.web.shm_size: must be at least 4K, not 1K"],
  ["ulimits = { open = 1 }", "services.web.ulimits"],
  ["ulimits = { nofile = -1 }", "services.web.ulimits.nofile"],
  [
    "ulimits = { nofile = { soft = 2, hard = 1 } }",
    "services.web.ulimits.nofile: soft (2) is above hard (1)",
  ],
  ['cap_drop = ["SYS_WORLD"]', "services.web.cap_drop[0]"],
  ['binds = { "/media" = "srv" }', 'services.web.binds."/media"'],
  ['binds = { "/media" = "/srv/../etc" }', 'services.web.binds."/media"'],
  ['binds = { "/proc" = "/srv" }', 'services.web.binds."/proc": /proc belongs to the instance itself'],
  [
    'binds = { "/a" = "/srv" }\ntmpfs = { "/a/b" = "1M" }',
    'services.web.binds."/a": /a and /a/b of the folder in memory lie in one another',
  ],
  ['devices = { "/dev/fuse" = "/etc/fuse" }', 'services.web.devices."/dev/fuse"'],
  ['devices = { "/fuse" = "/dev/fuse" }', "services.web.devices"],
  ['devices = { "/dev/null" = "/dev/fuse" }', 'services.web.devices."/dev/null": /dev/null belongs to the'],
  ['group_add = ["a b"]', "services.web.group_add[0]"],
  ['group_add = ["4294967295"]', "services.web.group_add[0]: 4294967295 is above 2147483647"],
  ['cap_add = ["ALL"]', "services.web.cap_add[0]"],
  ['cap_add = ["CAP_KILL"]', "services.web.cap_add[0]"],
  ['cap_add = ["KILL"]\ncap_drop = ["KILL"]', "services.web.cap_add[0]: KILL is in `cap_drop`, too"],
  ['cap_add = ["KILL"]\nuser = "1000"', "services.web.cap_add: only root has capabilities, and `user` is"],
  ['sysctls = { "kernel.core_pattern" = "1" }', "services.web.sysctls"],
  ['sysctls = { "net.core.somaxconn" = "x" }', "services.web.sysctls"],
  ['extra_hosts = { "a b" = "10.0.0.1" }', "services.web.extra_hosts"],
  ['extra_hosts = { "db" = "10.0.0" }', "services.web.extra_hosts.db"],
])("%s is refused, naming the field", (fields, message) => {
  const messages = refused(fields);
  expect(messages).toHaveLength(1);
  expect(messages[0]).toContain(message);
});

test("a bundle without a user has no capabilities to add to", () => {
  const bundle = 'bundle = "./a"\ncommand = ["x"]';
  expect(refused('cap_add = ["NET_RAW"]', bundle)).toEqual([
    "services.web.cap_add: only root has capabilities, and a bundle runs as nobody",
  ]);
  expect(refused('cap_add = ["NET_RAW"]\nuser = "root"', bundle)).toEqual([]);
});

test("a file and a bundle's own files", () => {
  const bundle = 'bundle = "./a"\ncommand = ["x"]';
  expect(
    refused('files = { "/app/x" = "", "/usr/share/x" = "", "/etc/ssl/certs/x" = "" }', bundle),
  ).toHaveLength(3);
  expect(
    refused('files = { "/etc/app.conf" = "", "/run/secrets/x" = "" }\ntmpfs = { "/tmp" = "1M" }', bundle),
  ).toEqual([]);
  expect(
    refused('files = { "/usr/share/x" = "", "/run/secrets/x" = "" }\ntmpfs = { "/run" = "1M" }'),
  ).toEqual([]);
});
