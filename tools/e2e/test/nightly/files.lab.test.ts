import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle } from "../../src/cluster.ts";
import { makeImage } from "../../src/docker.ts";
import { runtimesWith } from "../../src/runtimes.ts";

/** Says what it sees of its files and of the kernel, then serves for ever. */
const LOOK = [
  "busybox cat /etc/app.conf; echo; busybox stat -c '%a %u %g' /etc/app.conf /run/secrets/db",
  "busybox cat /run/secrets/db; echo; echo x > /etc/app.conf; echo x > /var/cache/app/x && echo written",
  "busybox stat -f -c '%b %S' /var/cache/app /dev/shm; ulimit -n; busybox cat /proc/sys/net/core/somaxconn",
  "busybox id -G; busybox grep db.internal /etc/hosts; busybox grep CapBnd /proc/self/status; echo looked; exec busybox sleep 100000",
].join("; ");

const fields = `files = { "/etc/app.conf" = { path = "app.conf", mode = "0640", owner = "0:50" }, "/run/secrets/db" = { secret = "db", mode = "0400" } }
tmpfs = { "/var/cache/app" = "64K" }
shm_size = "128K"
ulimits = { nofile = 777 }
cap_drop = ["ALL"]
sysctls = { "net.core.somaxconn" = "77" }
extra_hosts = { "db.internal" = "192.0.2.7" }
group_add = ["1234"]
user = "0:50"
`;

describe.each(runtimesWith(LOOK))("on the runtime of $runtime", ({ docker, program }) => {
  let cluster: Cluster;
  const deploy = async (ok: readonly number[] = [0]) => {
    const manifest = `namespace = "prod"\n[services.web]\n${program}\n${fields}`;
    const file = await cluster.put(1, manifest, webBundle);
    await cluster.lab.sh(1, ["sh", "-c", `printf 'listen 80' >${dirname(file)}/app.conf`]);
    return cluster.ctl(1, ["deploy", "-f", file, "--json"], { ok });
  };
  const said = async () =>
    (await cluster.ctl(1, ["logs", "prod/web"])).stdout
      .split("\n")
      .map((line) => line.replace(/^\S+ \| ?/, ""));

  beforeAll(async () => {
    cluster = await openCluster({ machines: 1, docker });
    if (docker) await makeImage(cluster, 1, "shop/web:v1");
    await cluster.ctl(1, ["secret", "set", "prod/db"], { input: "hunter2-in-a-file" });
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  it("files and settings are in the instance, and the secret is in no record", async () => {
    const deployed = await deploy();
    const told = (await said()).join("\n");
    for (const line of ["listen 80", "640 0 50", "400 0 0", "hunter2-in-a-file", "written", "777", "77"])
      expect(told).toContain(line);
    expect(told).toMatch(/192\.0\.2\.7\s+db\.internal/);
    expect(told).toMatch(/CapBnd:\s+0+\n/);
    expect(told).toMatch(/16 4096\n32 4096/);
    expect(told).toContain("looked");
    const groups = /^(?:0 )?50 1234$/m;
    expect(told).toMatch(groups);
    const id = docker ? ["busybox", "id", "-G"] : ["id", "-G"];
    for (const verb of ["exec", "run"])
      expect((await cluster.ctl(1, [verb, "prod/web", "--", ...id])).stdout).toMatch(groups);
    const shown = await cluster.ctl(1, ["show", "prod", "--json"]);
    expect(deployed.stdout + shown.stdout).not.toContain("hunter2-in-a-file");
    expect(shown.stdout).not.toContain("listen 80");
  });

  it("the same again changes nothing; another secret is another instance, and nothing is left of the first", async () => {
    expect(JSON.parse((await deploy()).stdout)).toMatchObject({ changed: false });
    const folder = "ls /var/lib/ployz/instance-files";
    const before = (await cluster.lab.sh(1, ["sh", "-c", folder])).stdout.trim();
    await cluster.ctl(1, ["secret", "set", "prod/db"], { input: "hunter3-in-a-file" });
    await deploy();
    expect((await said()).join("\n")).toContain("hunter3-in-a-file");
    const after = (await cluster.lab.sh(1, ["sh", "-c", folder])).stdout.trim();
    expect(after.split("\n")).toHaveLength(1);
    expect(after).not.toBe(before);
  });

  it("an instance has its files after a power cut", async () => {
    await cluster.lab.cut(1);
    await cluster.lab.on(1);
    await expect
      .poll(async () => (await said()).filter((line) => line === "looked").length, {
        timeout: 90_000,
        interval: 500,
      })
      .toBeGreaterThanOrEqual(1);
    await cluster.ctl(1, ["namespace", "rm", "prod", "-y"]);
    expect((await cluster.lab.sh(1, ["sh", "-c", "ls /var/lib/ployz/instance-files"])).stdout.trim()).toBe(
      "",
    );
  });
});
