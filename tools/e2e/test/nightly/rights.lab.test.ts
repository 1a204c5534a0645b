import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle } from "../../src/cluster.ts";
import { makeImage } from "../../src/docker.ts";
import { runtimesWith } from "../../src/runtimes.ts";

const POLICY = `
[policy]
capabilities = ["SYS_TIME"]
host_paths = ["/srv/media", "/etc/machine-name:ro"]
devices = ["/dev/fuse"]
`;
/** Says what it has of its machine, then waits. */
const LOOK = [
  "busybox cat /etc/machine-name; busybox cat /media/film; busybox cat /media/disk/on-disk",
  "(echo x > /etc/machine-name) 2>/dev/null || echo protected; busybox stat -c '%t:%T' /dev/fuse",
  "busybox grep CapEff /proc/self/status; (busybox true < /dev/fuse) && echo opened; echo looked; exec busybox sleep 100000",
].join("; ");
const FIELDS = `user = "0"
cap_drop = ["ALL"]
cap_add = ["SYS_TIME", "NET_RAW"]
init = true
binds = { "/media" = "/srv/media", "/etc/machine-name" = { source = "/etc/machine-name", read_only = true } }
devices = { "/dev/fuse" = "/dev/fuse" }
`;

describe.each(runtimesWith(LOOK))("on the runtime of $runtime", ({ docker, program }) => {
  let cluster: Cluster;
  const sh = (script: string) => cluster.lab.sh(1, ["sh", "-c", script]);
  const deploy = async (fields: string, ok: readonly number[], ...argv: readonly string[]) => {
    const file = await cluster.put(1, `namespace = "prod"\n[services.web]\n${program}\n${fields}`, webBundle);
    return (await cluster.ctl(1, ["deploy", "-f", file, "--json", ...argv], { ok })).stdout;
  };
  const said = async () => (await cluster.ctl(1, ["logs", "prod/web"])).stdout;
  const staged = async () => (await sh("ls /run/ployz/binds 2>/dev/null | wc -l")).stdout.trim();

  beforeAll(async () => {
    cluster = await openCluster({ machines: 1, docker });
    if (docker) await makeImage(cluster, 1, "shop/web:v1");
    await sh(
      "mkdir -p /srv/media/disk /srv/other && echo a-film >/srv/media/film && echo m-one >/etc/machine-name && echo secret >/srv/other/film && mount -t tmpfs disk /srv/media/disk && echo on-disk >/srv/media/disk/on-disk; [ -e /dev/fuse ] || mknod /dev/fuse c 10 229",
    );
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  it("what the policy does not allow is refused in the plan, with machine, field and line", async () => {
    for (const [fields, reason] of [
      [
        'user = "root"\ncap_add = ["SYS_TIME"]',
        'cap_add SYS_TIME: its configuration would with policy.capabilities = [\\"SYS_TIME\\"]',
      ],
      [
        'binds = { "/media" = "/srv/media" }',
        'binds /srv/media: its configuration would with policy.host_paths = [\\"/srv/media\\"]',
      ],
      [
        'devices = { "/dev/fuse" = "/dev/fuse" }',
        'devices /dev/fuse: its configuration would with policy.devices = [\\"/dev/fuse\\"]',
      ],
    ] as const)
      for (const argv of [["-n"], []]) {
        const out = await deploy(fields, [3], ...argv);
        expect(out).toContain("services.web: fits nowhere (m1: does not allow");
        expect(out).toContain(reason);
      }
    await cluster.lab.sh(1, ["sh", "-c", "cat >>/etc/ployz/config.toml"], { input: POLICY });
    await cluster.ctl(1, ["daemon", "install"]);
    for (const source of [
      "/srv",
      "/srv/media/../other",
      "/",
      "/proc",
      "/var/lib/ployz",
      "/run/ployz",
      "/var/run/docker.sock",
    ])
      await deploy(`binds = { "/media" = "${source}" }`, [2, 3], "-n");
    await deploy('binds = { "/name" = "/etc/machine-name" }', [3], "-n");
  });

  it("an instance has what the policy allows, and no more", async () => {
    await deploy(FIELDS, [0]);
    await expect.poll(said, { timeout: 20_000 }).toContain("looked");
    const told = await said();
    for (const line of ["m-one", "a-film", "on-disk", "protected", "a:e5", "opened"])
      expect(told).toContain(line);
    // CAP_NET_RAW is bit 13, CAP_SYS_TIME 25 (capability.h).
    expect(told).toMatch(/CapEff:\s+0000000002002000/);
    expect(await staged()).toBe("1");
  });

  it("a link that leads out of an allowed path is not followed at the next start", async () => {
    await deploy(FIELDS.replace('"/srv/media"', '"/srv/media/sub"'), [1]);
    await sh("mkdir -p /srv/media/sub && echo a-film >/srv/media/sub/film");
    await deploy(FIELDS.replace('"/srv/media"', '"/srv/media/sub"'), [0]);
    await sh("mv /srv/media/sub /srv/media/was && ln -s /srv/other /srv/media/sub");
    await cluster.ctl(1, ["stop", "prod/web"]);
    const started = await cluster.ctl(1, ["start", "prod/web", "--json"], { ok: [1, 3] });
    expect(started.stdout).toContain("right_refused");
    expect(started.stdout).toContain("does not allow binds /srv/other");
    await sh("rm /srv/media/sub && mv /srv/media/was /srv/media/sub");
    await cluster.ctl(1, ["start", "prod/web"]);
  });

  it("after a power cut it has them again, and a removal leaves nothing mounted", async () => {
    await cluster.lab.cut(1);
    await cluster.lab.on(1);
    await expect
      .poll(
        async () =>
          (
            await cluster.ctl(1, ["exec", "prod/web", "--", "cat", "/media/film"], {
              ok: [0, 1, 3, 5, 126, 127],
            })
          ).stdout,
        {
          timeout: 90_000,
          interval: 1_000,
        },
      )
      .toContain("a-film");
    await cluster.ctl(1, ["namespace", "rm", "prod", "-y"]);
    expect(await staged()).toBe("0");
    expect((await sh("grep -c /run/ployz/binds /proc/self/mountinfo || true")).stdout.trim()).toBe("0");
    expect((await sh("cat /srv/media/film")).stdout).toContain("a-film");
  });
});
