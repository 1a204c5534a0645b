import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { type DebianLayers, debianLayers } from "../../src/debian-image.ts";
import { type LayerSource, type Layout, makeLayout, saveLayout } from "../../src/layout.ts";
import type { Program } from "../../src/oci.ts";

/** What PostgreSQL of an image does at its start: its files are on the volume, made when that is empty. */
const POSTGRES = `set -e
bin=/usr/lib/postgresql/15/bin
if [ ! -e /data/pg ]; then
  $bin/initdb -D /data/new -A trust -U postgres >/dev/null
  echo 'host all all 0.0.0.0/0 trust' >>/data/new/pg_hba.conf
  mv /data/new /data/pg
fi
rm -f /data/pg/postmaster.pid
exec $bin/postgres -D /data/pg -c listen_addresses='*' -c unix_socket_directories=/tmp
`;
/** A web app: a page of the rows in the database and of a counter in Redis, by CGI of busybox. */
const PAGE = `#!/bin/sh
echo 'content-type: text/plain'; echo
psql -h db -U postgres -Atc 'select sum(n) from rows' && redis-cli -h cache incr hits
`;

const write = (path: string, text: string) =>
  `mkdir -p $(dirname ${path}); printf '%s' '${text.replaceAll("'", "'\\''")}' >${path}`;

let debian: DebianLayers;
const layouts = new Map<string, Layout>();
beforeAll(async () => {
  debian = await debianLayers();
  const images: Readonly<
    Record<
      string,
      { readonly layers: readonly LayerSource[]; readonly program: Program; readonly bare?: true }
    >
  > = {
    busybox: {
      layers: [
        {
          script:
            "mkdir -p srv etc tmp; chmod 1777 tmp; echo text >srv/file; chmod 640 srv/file; chown 1234:1235 srv srv/file; printf 'root:x:0:0::/root:/bin/sh\\nweb:x:1234:1235::/srv:/bin/sh\\n' >etc/passwd; printf 'root:x:0:\\nweb:x:1235:\\nextra:x:77:web\\n' >etc/group",
        },
      ],
      program: {
        ...{
          Entrypoint: ["/bin/sh", "-c"],
          Cmd: [
            "trap 'echo got TERM; exit 3' TERM; trap 'echo got INT; exit 0' INT; echo serving; { id -u; id -g; pwd; echo $COLOUR $EXTRA $HOME; stat -c '%a %u' /srv/file; } >/tmp/index.html; httpd -p 8080 -h /tmp; while :; do sleep 1; done",
          ],
        },
        ...{
          Env: ["COLOUR=red", "EXTRA=none"],
          WorkingDir: "/srv",
          User: "web",
          StopSignal: "SIGINT",
          Volumes: { "/scratch": {} },
        },
      },
    },
    debian: { layers: [debian.essential], program: { Cmd: ["/bin/bash"] }, bare: true },
    postgres: {
      layers: [
        debian.essential,
        debian.databases,
        { script: `${write("start.sh", POSTGRES)}; mkdir data; chown 0:0 data` },
      ],
      program: {
        Entrypoint: ["/bin/sh", "/start.sh"],
        User: "postgres",
        StopSignal: "SIGINT",
        Env: ["PATH=/usr/bin:/bin", "LC_ALL=C"],
      },
      bare: true,
    },
    redis: {
      layers: [debian.essential, debian.databases],
      program: {
        Entrypoint: ["/usr/bin/redis-server"],
        Cmd: ["--protected-mode", "no", "--save", "", "--dir", "/tmp"],
        User: "redis",
      },
      bare: true,
    },
    web: {
      layers: [
        debian.essential,
        debian.databases,
        {
          script: `${write("www/cgi-bin/page", PAGE)}; chmod 755 www/cgi-bin/page; mkdir -p opt; cp /bin/busybox opt/; echo up >www/up`,
        },
      ],
      program: {
        Entrypoint: ["/opt/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"],
        Env: ["PATH=/usr/bin:/bin", "LC_ALL=C"],
      },
      bare: true,
    },
  };
  for (const [name, image] of Object.entries(images)) layouts.set(name, await makeLayout(image));
}, 1_800_000);
afterAll(async () => {
  for (const layout of layouts.values()) await layout[Symbol.asyncDispose]();
  await debian?.[Symbol.asyncDispose]();
});

describe.each([
  { runtime: "process", docker: false },
  { runtime: "Docker", docker: true },
])("the same images on the runtime $runtime", ({ docker }) => {
  let cluster: Cluster;
  const sh = async (i: number, script: string) =>
    (await cluster.lab.sh(i, ["sh", "-c", script], { timeoutMs: 120_000 })).stdout.trim();
  const deploy = async (manifest: string) =>
    cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest)], { timeoutMs: 600_000 });
  const inside = async (what: string, argv: readonly string[]) =>
    (await cluster.ctl(1, ["exec", what, "--", ...argv])).stdout.trim();

  beforeAll(async () => {
    cluster = await openCluster({ machines: 2, docker, volumes: true, poolSize: "8G" });
    for (const [name, layout] of layouts) {
      await saveLayout(cluster.lab, 1, layout, `${name}:v1`, "/root/image.tar");
      await cluster.ctl(1, ["image", "push", "--archive", "/root/image.tar"], { timeoutMs: 600_000 });
      await sh(1, "rm /root/image.tar");
    }
    if (!docker) for (const i of [1, 2]) expect(await sh(i, "command -v docker || echo none")).toBe("none");
  }, 1_800_000);
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  const conform = (extra = "") => `namespace = "conform"
[services.web]
image = "busybox:v1"
env = { EXTRA = "blue" }
ports = { http = 8080 }
routes = [{ host = "conform.example.test", port = "http" }]
ready = { http = "/", port = "http", timeout = "30s" }
replicas = 2
drain = "0s"
stop_grace = "10s"
${extra}`;

  it("environment, user, folder and files are the image's, seen through the gateway", async () => {
    await deploy(conform());
    for (const i of [1, 2])
      expect((await cluster.get(i, "conform.example.test")).body).toBe(
        "1234\n1235\n/srv\nred blue /srv\n640 1234\n",
      );
    const ids = await inside("conform/web", [
      "/bin/sh",
      "-c",
      "id -G; touch /tmp/mine /srv/mine; ls /srv; ls -d /scratch",
    ]);
    expect(ids).toBe("1235 77\nfile\nmine\n/scratch");
    expect(
      await inside("conform/web", [
        "/bin/sh",
        "-c",
        "cat /proc/1/cmdline >/dev/null && test -c /dev/null && test -r /etc/hosts && echo yes",
      ]),
    ).toBe("yes");
  });

  it("fields of the manifest take the place of the image's", async () => {
    await deploy(conform('user = "0:0"\nworking_dir = "/tmp"\n'));
    expect((await cluster.get(2, "conform.example.test")).body).toBe(
      "0\n0\n/tmp\nred blue /root\n640 1234\n",
    );
  });

  it("the image's stop signal ends it, and its last words are in its log", async () => {
    await deploy(conform());
    // Its logs go with it: they are followed.
    await sh(1, "timeout 120 ployzctl logs conform/web -f >/root/followed 2>&1 &");
    const followed = () => sh(1, "cat /root/followed");
    await expect.poll(followed, { timeout: 30_000 }).toMatch(/serving[\s\S]*serving/);
    await cluster.ctl(1, ["stop", "conform/web"]);
    await expect.poll(followed, { timeout: 30_000 }).toMatch(/got INT[\s\S]*got INT/);
    expect(await followed()).not.toContain("got TERM");
    await cluster.ctl(1, ["start", "conform/web"]);
  });

  it("files are copied into and out of an instance", async () => {
    await sh(1, "rm -rf /root/seed && mkdir -p /root/seed && echo seed >/root/seed/f");
    await deploy(`namespace = "files"
[services.box]
image = "debian:v1"
command = ["/bin/sleep", "1000000"]
`);
    await cluster.ctl(1, ["cp", "/root/seed", "files/box.1:/tmp/"]);
    expect(await inside("files/box", ["/bin/cat", "/tmp/seed/f"])).toBe("seed");
    await cluster.ctl(1, ["cp", "files/box.1:/etc/debian_version", "/root/seed/out"]);
    expect(await sh(1, "cat /root/seed/out")).toMatch(/^12\./);
  });

  it("Debian's own root runs its programs", async () => {
    expect(
      await inside("files/box", [
        "/bin/bash",
        "-c",
        "id -un; dpkg --version | head -1; ls -ld /tmp | cut -c1-10",
      ]),
    ).toMatch(/^root\nDebian 'dpkg' package management program version 1\.21.*\ndrwxrwxrwt$/);
  });

  it("a job ends with its exit code, and one that fails says it", async () => {
    const job = (script: string) => `namespace = "jobs"
[jobs.once]
image = "busybox:v1"
entrypoint = ["/bin/sh", "-c"]
command = [${JSON.stringify(script)}]
`;
    await deploy(job("echo done as $(id -u) in $(pwd)"));
    expect((await cluster.ctl(1, ["logs", "jobs/once"])).stdout).toContain("done as 1234 in /srv");
    const file = await cluster.put(1, job("exit 7"));
    const failed = await cluster.ctl(1, ["deploy", "-f", file, "--json"], { ok: [1] });
    expect(failed.stdout).toContain("job_failed");
    expect(failed.stdout).toContain("7");
    const one = await cluster.ctl(1, ["run", "files/box", "--rm", "-i", "--", "/bin/sh", "-c", "exit 9"], {
      ok: [9],
      input: "",
    });
    expect(one.exitCode).toBe(9);
  });

  const shop = (constraint: string) => `namespace = "shop"
[services.db]
image = "postgres:v1"
ports = { main = 5432 }
ready = { tcp = true, timeout = "120s" }
volumes = { pgdata = "/data" }
drain = "0s"
stop_grace = "30s"
${constraint}
[volumes.pgdata]
[services.cache]
image = "redis:v1"
ports = { main = 6379 }
ready = { tcp = true, timeout = "60s" }
[services.web]
image = "web:v1"
ports = { http = 8080 }
routes = [{ host = "shop.example.test", port = "http" }]
ready = { http = "/up", port = "http", timeout = "60s" }
replicas = 2
after = ["db", "cache"]
`;

  it("PostgreSQL, Redis and a web app run from images, and are seen through the gateways", async () => {
    await deploy(shop('constraints = { machines = ["m1"] }'));
    const psql = (statement: string) =>
      inside("shop/db", ["/usr/bin/psql", "-h", "127.0.0.1", "-U", "postgres", "-Atc", statement]);
    expect(
      await psql(
        "create table rows (n int); insert into rows select generate_series(1, 100); select count(*) from rows",
      ),
    ).toContain("100");
    expect(await inside("shop/db", ["/usr/bin/id", "-un"])).toBe("postgres");
    expect((await cluster.get(1, "shop.example.test", "/cgi-bin/page")).body).toBe("5050\n1\n");
    expect((await cluster.get(2, "shop.example.test", "/cgi-bin/page")).body).toBe("5050\n2\n");
  });

  it("a branch has the data and its own instances; a migration takes the data and the image along", async () => {
    await cluster.ctl(1, ["branch", "shop", "pr-1", "--volume-mode", "branch"], {
      timeoutMs: 300_000,
    });
    const count = (namespace: string) =>
      inside(`${namespace}/db`, [
        "/usr/bin/psql",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-Atc",
        "select count(*) from rows",
      ]);
    expect(await count("pr-1")).toBe("100");
    await inside("pr-1/db", [
      "/usr/bin/psql",
      "-h",
      "127.0.0.1",
      "-U",
      "postgres",
      "-Atc",
      "delete from rows",
    ]);
    expect([await count("pr-1"), await count("shop")]).toEqual(["0", "100"]);
    await cluster.ctl(1, ["namespace", "rm", "pr-1", "--yes"]);
    await deploy(shop(""));
    await cluster.ctl(1, ["migrate", "shop/db", "--to", "m2"], { timeoutMs: 300_000 });
    const { instances } = await cluster.json<{ instances: readonly { id: string; machine: string }[] }>(1, [
      "ps",
      "shop",
    ]);
    expect(instances.filter(({ id }) => id.startsWith("shop.db.")).map(({ machine }) => machine)).toEqual([
      "m2",
    ]);
    expect(await count("shop")).toBe("100");
    expect((await cluster.get(1, "shop.example.test", "/cgi-bin/page")).body).toMatch(/^5050\n/);
  });
});
