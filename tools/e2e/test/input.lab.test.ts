import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle, webManifest } from "../src/cluster.ts";
import { api, HOSTILE, type Refusal, refuses } from "../src/refusal.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 1, members: 0 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** Each costs a start of ployzctl; its unit tests have them all, and the API below is asked about every one. */
const SAMPLE = ["$(touch /tmp/pwned)", "../../etc/passwd", "a\nb", "a".repeat(64 * 1024)];

/** Of the wrong manifests: every third in CI, all by night. Unit tests have them all, too. */
const STRIDE = Number(process.env.PLOYZ_FAULT_STRIDE ?? 3);

const sh = (script: string) => cluster.lab.sh(1, ["sh", "-c", script]);
const refused = (args: readonly string[], wanted: Refusal) => refuses(cluster, 1, args, wanted);
const configure = (text: string) =>
  cluster.lab.sh(1, ["sh", "-c", "mkdir -p /etc/ployz; cat > /etc/ployz/config.toml"], { input: text });

describe("before there is a daemon", () => {
  it("every command that needs it says so, and how to start it", async () => {
    const wanted = {
      exit: 4,
      code: "daemon_unreachable",
      names: "/run/ployz/ployzd.sock",
      hint: "ployzctl daemon install",
    } as const;
    for (const args of [["status"], ["machine", "ls"], ["mesh", "init", "x"], ["ops", "ls"]])
      await refused(args, wanted);
  });

  it("a wrong command line is exit code 2, with a suggestion", async () => {
    const usage = { exit: 2, code: "usage" } as const;
    await refused(["statsu"], { ...usage, names: "statsu", hint: "ployzctl status" });
    await refused(["machine", "lss"], { ...usage, names: "machine lss", hint: "ployzctl machine ls" });
    await refused(["deploy", "--flie", "x"], { ...usage, names: "--flie", hint: "--file" });
    await refused(["status", "--timeout", "soon"], { ...usage, names: "--timeout" });
    await refused(["machine", "add"], { ...usage, names: "TARGET" });
    const both = await cluster.ctl(1, ["status", "--json", "--plain"], { ok: [2] });
    expect(both.stdout).toContain("--json and --plain exclude each other");
  });

  it("a wrong configuration names the field, and nothing is installed", async () => {
    const config = { exit: 2, code: "config_invalid", hint: "docs/configuration.md" } as const;
    for (const [text, names] of [
      ['regoin = "eu"', "unknown field regoin"],
      ['[store]\nsrever = "/x"', "unknown field store.srever"],
      ["wireguard_port = 70000", "wireguard_port"],
      ['gateway_listen = "999.0.0.1:80"', "gateway_listen"],
      ["= 3", "/etc/ployz/config.toml"],
    ] as const) {
      await configure(text);
      await refused(["daemon", "install"], { ...config, names });
    }
    await sh("rm /etc/ployz/config.toml");
    await refused(["daemon", "install", "--region", "EU;x"], { exit: 2, code: "usage", names: "--region" });
    const { stdout } = await sh(
      "ls -A /etc/ployz /var/lib/ployz /run/ployz /etc/init.d/ployz 2>/dev/null || true",
    );
    expect(stdout.replace(/^.*:$/gm, "").trim()).toBe("");
  });
});

/** What `mesh init` makes, and what must not be there after a refusal. */
async function untouched(): Promise<void> {
  const { stdout } = await sh(
    "ip -o link | grep -E 'ployz|vx' ; nft list tables | grep ployz; ls /var/lib/ployz/membership.json /var/lib/ployz/store 2>/dev/null; ls /run/ployz/services | grep ployz-; true",
  );
  expect(stdout).toBe("");
}

describe("a daemon in no cluster", () => {
  beforeAll(async () => void (await cluster.ctl(1, ["daemon", "install"])));

  it("says what makes it a member", async () => {
    const wanted = {
      exit: 3,
      code: "not_a_member",
      names: "in no cluster",
      hint: "ployzctl mesh init",
    } as const;
    for (const args of [["status"], ["ps"], ["machine", "ls"], ["ops", "ls"], ["machine", "add", "root@m1"]])
      await refused(args, wanted);
    const file = await cluster.put(1, webManifest(), webBundle);
    await refused(["deploy", "-f", file], wanted);
  });

  it("mesh init refuses hostile names and impossible networks", async () => {
    const invalid = { exit: 2, code: "invalid_input" } as const;
    for (const name of SAMPLE) {
      await cluster.ctl(1, ["mesh", "init", name], { ok: [2] });
    }
    await refused(["mesh", "init", "--", "--help"], { ...invalid, names: "NAME" });
    await refused(["mesh", "init", "x", "--machine", "M1"], { ...invalid, names: "--machine" });
    for (const cidr of ["foo", "10.101.0.0/99", "10.101.0.1/16", "127.0.0.0/8", "224.0.0.0/8", "fd00::/64"])
      await refused(["mesh", "init", "x", "--cidr", cidr], { ...invalid, names: cidr, hint: "--cidr" });
    await refused(["mesh", "init", "x", "--subnet-prefix", "31"], {
      exit: 2,
      code: "cidr_invalid",
      names: "31",
    });
    await refused(["mesh", "init", "x", "--endpoint", "a b"], { ...invalid, names: "--endpoint" });
    await untouched();
  });

  it("mesh init refuses when a precondition is not met, and changes nothing", async () => {
    const init = (wanted: Omit<Refusal, "exit">) => refused(["mesh", "init", "x"], { exit: 3, ...wanted });
    const without = async (program: string, wanted: Omit<Refusal, "exit">) => {
      await sh(`p=$(command -v ${program}); mv $p $p.away`);
      try {
        await init(wanted);
      } finally {
        await sh(
          `for p in /usr/bin/${program} /usr/sbin/${program} /sbin/${program}; do [ ! -e $p.away ] || mv $p.away $p; done`,
        );
      }
    };
    await without("haproxy", { code: "haproxy_missing", names: "haproxy", hint: "apt-get install haproxy" });
    await without("nft", { code: "nft_missing", names: "nft", hint: "apt-get install nftables" });
    await without("wg", { code: "wireguard_missing", names: "wg", hint: "apt-get install wireguard-tools" });
    await refused(["mesh", "init", "x", "--cidr", "10.77.0.0/16"], {
      ...{ exit: 3, code: "cidr_overlap", names: "eth0", hint: "--cidr" },
    });
    for (const [listen, names, hint] of [
      ["TCP4-LISTEN:80", "tcp 0.0.0.0:80 (gateway)", "gateway_listen"],
      ["TCP6-LISTEN:80", "tcp 0.0.0.0:80 (gateway)", "gateway_listen"],
      ["UDP4-LISTEN:51820", "udp 0.0.0.0:51820 (WireGuard)", "wireguard_port"],
      ["UDP4-LISTEN:53", "udp 10.101.1.1:53 (DNS)", "its own addresses"],
      ["TCP4-LISTEN:4222", "tcp 10.101.1.1:4222 (store)", "store_port"],
      ["TCP4-LISTEN:4319", "tcp 10.101.1.1:4319 (transfers)", "transfer_port"],
    ] as const) {
      const { stdout: pid } = await sh(`socat ${listen},fork - >/dev/null 2>&1 & echo $!; sleep 0.2`);
      try {
        await init({ code: "port_taken", names, hint });
      } finally {
        await sh(`kill ${pid.trim()}`);
      }
    }
    await untouched();
  });

  it("nor with a nats-server that is too old, or a disk that is full", async () => {
    const init = (wanted: Omit<Refusal, "exit">) => refused(["mesh", "init", "x"], { exit: 3, ...wanted });
    try {
      await sh(
        "printf '#!/bin/sh\\necho nats-server: v2.6.1\\n' > /usr/local/bin/old-nats; chmod 755 /usr/local/bin/old-nats",
      );
      await configure('[store]\nserver = "/usr/local/bin/old-nats"\n');
      await cluster.ctl(1, ["daemon", "install"]);
      await sh(
        "s6-svc -wr -T 10000 -r /run/ployz/services/ployzd; for i in $(seq 50); do ployzctl daemon status >/dev/null 2>&1 && break; done",
      );
      await init({ code: "nats_server_too_old", names: "2.6.1" });
      await configure('[store]\nserver = "/nowhere/nats-server"\n');
      await sh(
        "s6-svc -wr -T 10000 -r /run/ployz/services/ployzd; for i in $(seq 50); do ployzctl daemon status >/dev/null 2>&1 && break; done",
      );
      await init({ code: "nats_server_missing", names: "/nowhere/nats-server" });
      await sh("mkdir -p /mnt/small && mount -t tmpfs -o size=64m tmpfs /mnt/small");
      await configure('data_dir = "/mnt/small/ployz"\n');
      await sh(
        "s6-svc -wr -T 10000 -r /run/ployz/services/ployzd; for i in $(seq 50); do ployzctl daemon status >/dev/null 2>&1 && break; done",
      );
      await init({ code: "disk_full", names: "/mnt/small/ployz", hint: "data_dir" });
    } finally {
      await sh(
        "rm -f /etc/ployz/config.toml; s6-svc -wr -T 10000 -r /run/ployz/services/ployzd; umount -l /mnt/small 2>/dev/null || true",
      );
      await cluster.ctl(1, ["daemon", "install"]);
    }
    await untouched();
  });

  it("its API refuses the same without ployzctl's help", async () => {
    const cases: readonly (readonly [string, string, unknown, string])[] = [
      ...HOSTILE.map((name) => ["POST", "/v1/mesh/init", { name }, "name"] as const),
      ["POST", "/v1/mesh/init", { name: "a\0b" }, "name"],
      ["POST", "/v1/mesh/init", { name: "x", endpoints: ["1.1.1.1:51820\nPrivateKey = x"] }, "endpoints"],
      ["POST", "/v1/mesh/init", { name: "x", extra: 1 }, "extra"],
      ["POST", "/v1/mesh/init", [], "must be an object"],
      ["POST", "/v1/mesh/join", { v: 1, cluster: { name: "x", id: "../x" } }, "cluster.id"],
      ["POST", "/v1/mesh/leave", { destroy: "yes" }, "destroy"],
      ["GET", "/v1/%zz", undefined, "%zz"],
    ];
    for (const [method, path, body, names] of cases) {
      const answer = await api(
        cluster,
        1,
        method,
        path,
        body === undefined ? undefined : JSON.stringify(body),
      );
      expect(answer.status, JSON.stringify(answer)).toBeGreaterThanOrEqual(400);
      expect(answer.status, JSON.stringify(answer)).toBeLessThan(500);
      if (path !== "/v1/%zz") expect(answer.body.error?.message).toContain(names);
    }
    await untouched();
    expect((await sh("ls /tmp/pwned 2>/dev/null || true")).stdout).toBe("");
  });
});

describe("a cluster", () => {
  beforeAll(async () => {
    await cluster.ctl(1, ["mesh", "init", "prod-cluster"]);
    const taken = webManifest({ namespace: "owner", replicas: 1, host: "taken.example.test" });
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, taken, webBundle)]);
  });

  const state = async () => {
    const [ps, ops] = await Promise.all([cluster.json(1, ["ps"]), cluster.json(1, ["ops", "ls"])]);
    const { instances } = ps as { instances: readonly { id: string }[] };
    const { stdout } = await sh("ls /var/lib/ployz/instances");
    return [instances.map(({ id }) => id), (ops as { operations: unknown[] }).operations.length, stdout];
  };

  const service = (body: string) =>
    `namespace = "prod"\n\n[services.web]\nbundle = "./web"\ncommand = ["${node}", "server.mjs"]\n${body}\n`;
  const manifests: readonly (readonly [string, string, Refusal])[] = [
    [
      "an unknown key",
      service("replcas = 2"),
      { exit: 2, code: "invalid_input", names: "services.web.replcas", hint: "replicas" },
    ],
    ["no TOML", "namespace = \n", { exit: 2, code: "invalid_input", names: "line 1" }],
    [
      "a bad namespace",
      service("").replace('"prod"', '"../prod"'),
      { exit: 2, code: "invalid_input", names: "namespace" },
    ],
    [
      "a name with a metacharacter",
      service("").replace("[services.web]", '[services."$(reboot)"]'),
      { exit: 2, code: "invalid_input", names: "services" },
    ],
    [
      "a name of 64 KB",
      service("").replace("[services.web]", `[services.${"a".repeat(65_536)}]`),
      { exit: 2, code: "invalid_input", names: "65536 characters" },
    ],
    [
      "a name with a newline",
      service("").replace("[services.web]", '[services."a\\nb"]'),
      { exit: 2, code: "invalid_input", names: "services" },
    ],
    [
      "a name with NUL",
      service("").replace("[services.web]", '[services."a\\u0000b"]'),
      { exit: 2, code: "invalid_input", names: "services" },
    ],
    [
      "an argument with NUL",
      service("").replace('"server.mjs"', '"a\\u0000b"'),
      { exit: 2, code: "invalid_input", names: "services.web.command[1]", hint: "NUL" },
    ],
    [
      "a user that is a flag",
      service('user = "-x"'),
      { exit: 2, code: "invalid_input", names: "services.web.user" },
    ],
    [
      "two routes that clash",
      service('ports = { a = 1, b = 2 }\nroutes = [{ tcp = 5432, port = "a" }, { tcp = 5432, port = "b" }]'),
      { exit: 2, code: "invalid_input", names: "services.web.routes[1]", hint: /^/ },
    ],
    [
      "a port that the machine needs",
      service("ports = { http = 8080 }\nroutes = [{ tcp = 22 }]"),
      { exit: 2, code: "invalid_input", names: "services.web.routes[0].tcp", hint: "another port" },
    ],
    [
      "a port that another program has",
      service("ports = { http = 8080 }\nroutes = [{ tcp = 7001 }]"),
      { exit: 3, code: "port_taken", names: /services\.web\.routes.*7001 of m1/, hint: "another port" },
    ],
    [
      "a port beyond the range",
      service("ports = { http = 70000 }"),
      { exit: 2, code: "invalid_input", names: "services.web.ports.http" },
    ],
    [
      "a route to no port",
      service('routes = [{ host = "a.test", port = "http" }]'),
      { exit: 2, code: "invalid_input", names: "services.web.routes[0].port" },
    ],
    [
      "replicas on a single-writer volume",
      `${service('replicas = 2\nvolumes = { data = "/data" }')}\n[volumes.data]\nscope = "single"\n`,
      { exit: 2, code: "invalid_input", names: "services.web.replicas" },
    ],
    [
      "a mount that climbs",
      `${service('volumes = { data = "/data/../etc" }')}\n[volumes.data]\nscope = "single"\n`,
      { exit: 2, code: "invalid_input", names: "services.web.volumes.data" },
    ],
    [
      "a service that waits for nobody",
      service('after = ["migrat"]'),
      { exit: 2, code: "invalid_input", names: "migrat" },
    ],
    [
      "a bundle that is not there",
      service("").replace("./web", "./nowhere"),
      { exit: 2, code: "invalid_input", names: "nowhere" },
    ],
    [
      "volumes where no machine has ZFS for them",
      `${service('volumes = { data = "/data" }')}\n[volumes.data]\nscope = "single"\n`,
      { exit: 3, code: "no_machine_fits", names: "services.web" },
    ],
    [
      "a route of another namespace",
      webManifest({ host: "taken.example.test", replicas: 1 }),
      { exit: 3, code: "route_taken", names: "owner/web", hint: "another host" },
    ],
    [
      "a machine that is not there",
      service('constraints = { machines = ["m9"] }'),
      { exit: 3, code: "machine_unknown", names: "m9", hint: "m1" },
    ],
    [
      "a region that no machine is in",
      service('constraints = { region = "mars" }'),
      { exit: 3, code: "no_machine_fits", names: /m1.*not in region mars/s },
    ],
    [
      "more memory than there is",
      service('resources = { memory = "900G" }'),
      { exit: 3, code: "no_machine_fits", names: /m1.*MiB/s },
    ],
    [
      "an image that no machine has, of a registry that does not answer",
      'namespace = "prod"\n[services.web]\nimage = "127.0.0.1:9/busybox:1"\n',
      { exit: 3, code: "registry_unreachable", names: /services\.web\.image/, hint: "image push" },
    ],
  ];

  it("deploy refuses a wrong manifest, names the field, and changes nothing", async () => {
    await sh("socat TCP4-LISTEN:7001,fork,bind=127.0.0.1 - >/dev/null 2>&1 & sleep 0.2");
    const before = await state();
    for (const [what, manifest, wanted] of manifests.filter((_, index) => index % STRIDE === 0)) {
      const file = await cluster.put(1, manifest, webBundle);
      await refused(["deploy", "-f", file], wanted).catch((error: unknown) => {
        throw new Error(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
      });
    }
    expect(await state()).toEqual(before);
  });

  it("names that reach the API by themselves are refused there", async () => {
    const before = await state();
    const operation = (input: unknown, more: object = {}) =>
      JSON.stringify({ primitive: "deploy", mode: "apply", by: "test", input, ...more });
    const manifest = (name: string) => ({
      namespace: "prod",
      services: { [name]: { bundle: "./x", command: ["x"] } },
    });
    for (const name of [...HOSTILE, "a\0b", "__proto__", "constructor"]) {
      for (const input of [
        { manifest: manifest(name), bundles: { [name]: `sha256:${"0".repeat(64)}` } },
        { manifest: { ...manifest("web"), namespace: name }, bundles: { web: `sha256:${"0".repeat(64)}` } },
        { manifest: manifest("web"), bundles: { web: name } },
      ]) {
        const { body } = await api(cluster, 1, "POST", "/v1/operations", operation(input));
        const [first] = body.refusals ?? [body.error];
        expect(first?.code, JSON.stringify(body).slice(0, 400)).toBe("invalid_input");
      }
    }
    for (const path of [
      ...[
        "/v1/operations/..%2f..%2fetc",
        "/v1/operations/a.b.*",
        "/v1/operations/%00",
        "/v1/operations/x/events",
      ],
      ...[
        "/v1/bundles/..%2f..%2fetc%2fpasswd",
        "/v1/logs?target=..%2f..",
        "/v1/logs?target=*",
        "/v1/logs?target=a&tail=-1",
      ],
      ...["/v1/ps?namespace=..%2f..", "/v1/ps?namespace=%00"],
    ]) {
      const { status, body } = await api(cluster, 1, "GET", path);
      expect([path, status < 500, body.error?.code ?? "none"], JSON.stringify(body)).toEqual([
        path,
        true,
        expect.stringMatching(/^(invalid_input|no_such_namespace|no_such_service|none)$/),
      ]);
    }
    expect(
      (await api(cluster, 1, "POST", "/v1/operations", operation(null, { primitive: "../x" }))).body
        .refusals?.[0]?.code,
    ).toBe("invalid_input");
    expect(await state()).toEqual(before);
    expect((await sh("ls /tmp/pwned 2>/dev/null || true")).stdout).toBe("");
  });

  it("a port lost later affects only its own route, and status reports it", async () => {
    // Another program may take it between observation and commit; here, while a gateway restarts.
    const tcp = `namespace = "tcp"\n\n[services.web]\nbundle = "./web"\ncommand = ["${node}", "server.mjs"]\nports = { http = 8080 }\nroutes = [{ tcp = 7002 }, { host = "tcp.example.test", port = "http" }]\nready = { http = "/healthz", port = "http" }\n`;
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, tcp, webBundle)]);
    // The daemon is stopped meanwhile: each 20 s it starts a gateway that does not run.
    await sh(
      "s6-svc -p /run/ployz/services/ployzd; s6-svc -wD -T 10000 -d /run/ployz/services/ployz-gateway; s6-svc -wD -T 20000 -d /run/ployz/services/ployz-haproxy; while ss -Hltn 'sport = :7002' | grep -q .; do sleep 0.1; done; socat TCP4-LISTEN:7002,fork,reuseaddr - >/dev/null 2>&1 & until ss -Hltnp 'sport = :7002' | grep -q socat; do sleep 0.1; done; s6-svc -u /run/ployz/services/ployz-gateway; s6-svc -c /run/ployz/services/ployzd",
    );
    const again = await cluster.ctl(1, [
      "deploy",
      "-f",
      await cluster.put(
        1,
        tcp.replace("[services.web]", '[services.web]\nenv = { VERSION = "v2" }'),
        webBundle,
      ),
    ]);
    expect(`${again.stdout}${again.stderr}`).toContain("another program uses TCP port 7002");
    expect((await cluster.get(1, "tcp.example.test")).body).toContain('"version":"v2"');
    expect((await cluster.get(1, "taken.example.test")).status).toBe(200);
    expect((await cluster.ctl(1, ["doctor"], { ok: [3] })).stdout).toContain("7002");
  });

  it("the command line refuses names before it calls a daemon", async () => {
    for (const name of SAMPLE) {
      await cluster.ctl(1, ["logs", name], { ok: [2] });
      await cluster.ctl(1, ["machine", "show", name], { ok: [2] });
      await cluster.ctl(1, ["ops", "show", name], { ok: [2] });
    }
    await refused(["ops", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"], {
      exit: 3,
      code: "operation_unknown",
      names: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    });
    await refused(["mesh", "init", "other"], {
      exit: 3,
      code: "already_member",
      names: "prod-cluster",
      hint: "mesh destroy",
    });
  });
});
