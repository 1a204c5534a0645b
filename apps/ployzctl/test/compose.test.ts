import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseManifest } from "@ployz/primitives";
import { beforeEach, describe, expect, it } from "vitest";
import { shellWords } from "../src/compose/words.ts";
import { parseEnvFile } from "../src/manifest/env-file.ts";
import { loadManifest } from "../src/manifest/load.ts";
import { ctl } from "./run.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "compose-"));
  return () => rm(dir, { recursive: true });
});
const put = (name: string, text: string) => writeFile(join(dir, name), text);
/** Converts, and reads the result back as a deploy would. */
async function convert(text: string, ...argv: readonly string[]) {
  await put("compose.yaml", text);
  const { code, out, err } = await ctl(["compose", "convert", "compose.yaml", ...argv], { cwd: dir });
  if (code !== 0) throw new Error(err);
  const parsed = parseManifest(out, "toml");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusals));
  return parsed.manifest;
}
async function refusals(text: string, ...argv: readonly string[]): Promise<readonly string[]> {
  await put("compose.yaml", text);
  const { code, out } = await ctl(["compose", "convert", "compose.yaml", "--json", ...argv], { cwd: dir });
  expect(code).toBe(2);
  const { refusals: list } = JSON.parse(out) as { refusals: readonly { message: string; hint?: string }[] };
  for (const { hint } of list) expect(hint).toBeTruthy();
  return list.map(({ message }) => message);
}

describe("a Compose file", () => {
  it("with a web service, a database, a cache and a migration becomes a manifest", async () => {
    await put("db.env", "# the database\nPOSTGRES_DB=shop\nexport POSTGRES_USER='shop user'\n");
    const manifest = await convert(`
version: "3.8"
name: shop
x-common: &common
  restart: unless-stopped
  environment: &env
    LOG: info
services:
  web:
    <<: *common
    image: ghcr.io/acme/web:v3
    command: node server.js --title "a b"
    environment:
      <<: *env
      DEBUG: 1
      FLAG: true
    ports: ["8080:3000", "5353:3000/udp"]
    expose: ["9000"]
    depends_on:
      db: { condition: service_healthy }
      migrate: { condition: service_completed_successfully }
    deploy:
      replicas: 3
      resources: { limits: { cpus: "0.5", memory: 256M, pids: 100 } }
      update_config: { order: start-first }
    stop_grace_period: 1m30s
  worker:
    image: ghcr.io/acme/web:v3
    command: ["node", "worker.js"]
    scale: 2
    volumes: ["files:/files"]
  db:
    image: postgres:16
    restart: always
    env_file: db.env
    volumes:
      - pgdata:/var/lib/postgresql/data
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U shop"]
      interval: 5s
      timeout: 3s
      retries: 10
  migrate:
    image: ghcr.io/acme/web:v3
    command: node migrate.js
    restart: "no"
volumes:
  pgdata:
  files: {}
`);
    expect(manifest).toEqual({
      namespace: "shop",
      services: {
        web: {
          image: "ghcr.io/acme/web:v3",
          command: ["node", "server.js", "--title", "a b"],
          env: { LOG: "info", DEBUG: "1", FLAG: "true" },
          stop_grace: "90s",
          after: ["db", "migrate"],
          resources: { cpus: 0.5, memory: "256M", pids: 100 },
          replicas: 3,
          update: "start-first",
          ports: { p3000: 3000, p9000: 9000 },
          routes: [
            { tcp: 8080, port: "p3000" },
            { udp: 5353, port: "p3000" },
          ],
        },
        worker: {
          image: "ghcr.io/acme/web:v3",
          command: ["node", "worker.js"],
          replicas: 2,
          volumes: { files: "/files" },
        },
        db: {
          image: "postgres:16",
          env: { POSTGRES_DB: "shop", POSTGRES_USER: "shop user" },
          volumes: { pgdata: "/var/lib/postgresql/data" },
          ready: { exec: ["/bin/sh", "-c", "pg_isready -U shop"], timeout: "66s" },
        },
      },
      jobs: { migrate: { image: "ghcr.io/acme/web:v3", command: ["node", "migrate.js"] } },
      volumes: { pgdata: {}, files: { scope: "shared" } },
    });
  });

  it("says for each key that a manifest has nothing for where it is and what to use", async () => {
    expect(
      await refusals(`name: shop
services:
  web:
    build: { context: ., network: host }
    ports:
      - "80:80"
      - "127.0.0.1:5432:5432"
      - "53:53/sctp"
    networks: [front]
    container_name: web
    imagee: nginx
    volumes:
      - ./html:/usr/share/nginx/html:ro
      - /data
    environment:
      - SECRET
networks:
  front:
secrets:
  token: { file: ./token }
`),
    ).toEqual([
      "compose.yaml:17: networks: is not supported",
      "compose.yaml:20: secrets.token.file: is not supported: a secret is in the cluster",
      "compose.yaml:9: services.web.networks: is not supported",
      "compose.yaml:10: services.web.container_name: is not supported",
      "compose.yaml:11: services.web.imagee: is not a key of a service",
      "compose.yaml:4: services.web.build.network: is not supported",
      "compose.yaml:16: services.web.environment[0]: SECRET has no value",
      "compose.yaml:13: services.web.volumes[0]: is a file or folder of the host",
      "compose.yaml:14: services.web.volumes[1]: is a volume without a name",
      "compose.yaml:6: services.web.ports[0]: port 80 is the gateways', which route by host",
      "compose.yaml:7: services.web.ports[1]: is bound to loopback",
      "compose.yaml:8: services.web.ports[2]: sctp is not supported",
    ]);
  });

  it("publishes ports of the machine where an address or `mode: host` asks for them", async () => {
    const { services } = await convert(`name: a
services:
  web:
    image: nginx
    ports:
      - "192.0.2.1:9000:80"
      - "0.0.0.0:9001:80"
      - { target: 53, published: 5353, protocol: udp, mode: host }
      - { target: 80, published: 9002, host_ip: 192.0.2.1 }
`);
    expect(services?.web).toMatchObject({
      ports: { p80: 80, p53: 53 },
      routes: [{ tcp: 9001, port: "p80" }],
      host_ports: [
        { port: 9000, to: "p80", address: "192.0.2.1" },
        { port: 5353, to: "p53", protocol: "udp" },
        { port: 9002, to: "p80", address: "192.0.2.1" },
      ],
    });
  });

  it("takes ports of the long form as text too, and refuses text that is no port", async () => {
    const file = (published: string) => `name: a
services:
  web:
    image: nginx
    ports:
      - { target: "80", published: ${published} }
`;
    expect((await convert(file('"8080"'))).services?.web).toMatchObject({
      ...{ ports: { p80: 80 }, routes: [{ tcp: 8080, port: "p80" }] },
    });
    expect(await refusals(file('"http"'))).toEqual(["compose.yaml:6: services.web.ports[0]: is not a port"]);
    expect(await refusals(file('"8000-8010"'))).toEqual([
      "compose.yaml:6: services.web.ports[0]: is a range",
    ]);
  });

  it("binds paths and devices of the machine; relative paths are of another computer", async () => {
    const { services } = await convert(`name: a
services:
  web:
    image: nginx
    volumes:
      - /etc/timezone:/etc/timezone:ro
      - /srv/media/:/media:z
      - { type: bind, source: /var/run/docker.sock, target: /var/run/docker.sock, read_only: true }
    devices: ["/dev/fuse", "/dev/ttyUSB0:/dev/ttyS0:rwm", "/dev/dri:/dev/dri"]
`);
    expect(services?.web).toMatchObject({
      binds: {
        "/etc/timezone": { source: "/etc/timezone", read_only: true },
        "/media": "/srv/media",
        "/var/run/docker.sock": { source: "/var/run/docker.sock", read_only: true },
      },
      devices: { "/dev/fuse": "/dev/fuse", "/dev/ttyS0": "/dev/ttyUSB0", "/dev/dri": "/dev/dri" },
    });
    expect(
      await refusals(`name: a
services:
  web:
    image: nginx
    volumes:
      - ./media:/media
      - /srv:/a:ro,shared
      - { type: bind, source: /srv, target: /b, bind: { propagation: shared } }
    devices: ["vendor.com/gpu=0", "/dev/fuse::r", "/dev/a:/dev/b:r"]
`),
    ).toEqual([
      "compose.yaml:9: services.web.devices[0]: vendor.com/gpu=0 is no device below /dev",
      "compose.yaml:9: services.web.devices[1]: permissions  are not supported",
      "compose.yaml:9: services.web.devices[2]: permissions r are not supported",
      "compose.yaml:6: services.web.volumes[0]: is a file or folder of the host",
      "compose.yaml:7: services.web.volumes[1]: shared is not supported",
      "compose.yaml:8: services.web.volumes[2]: bind is not supported",
    ]);
  });

  it("has files, secrets and settings of containers", async () => {
    await put("app.ini", "ini");
    await put("nginx.conf", "conf");
    const manifest = await convert(`name: a
services:
  web:
    build: { context: ./web, args: ["A=1"] }
    image: acme/web
    entrypoint: /start "a b"
    working_dir: /srv
    stop_signal: INT
    read_only: true
    shm_size: 128mb
    tmpfs: ["/run", "/var/cache:size=16m,noexec"]
    ulimits: { nproc: 65535, nofile: { soft: 20000, hard: 40000 } }
    sysctls: ["net.core.somaxconn=1024"]
    extra_hosts: ["db.internal:10.0.0.5"]
    cap_drop: [ALL]
    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]
    configs: [motd, { source: app, target: /etc/app.ini, mode: 0440, uid: "103" }]
    secrets: [db, { source: key, target: tls.key }]
configs:
  motd: { content: hello }
  app: { file: ./app.ini }
secrets:
  db: { external: true }
  key: { external: true, name: tls-key }
`);
    expect(manifest.services?.web).toEqual({
      build: { context: "./web", args: { A: "1" } },
      entrypoint: ["/start", "a b"],
      ...{ working_dir: "/srv", stop_signal: "SIGINT", read_only: true, shm_size: "128M" },
      tmpfs: { "/run": "256M", "/var/cache": "16M" },
      ulimits: { nproc: 65535, nofile: { soft: 20000, hard: 40000 } },
      sysctls: { "net.core.somaxconn": "1024" },
      extra_hosts: { "db.internal": "10.0.0.5" },
      cap_drop: ["ALL"],
      files: {
        "/motd": { text: "hello" },
        "/etc/app.ini": { text: "ini", mode: "440", owner: "103:103" },
        "/run/secrets/db": { secret: "db" },
        "/run/secrets/tls.key": { secret: "tls-key" },
        "/etc/nginx/nginx.conf": { text: "conf" },
      },
    });
  });

  it("names what it does not know of files and settings", async () => {
    expect(
      await refusals(`name: a
services:
  web:
    image: nginx
    tmpfs: /run:mode=755
    shm_size: big
    extra_hosts: { host: host-gateway }
    configs: [none]
    secrets: [none]
configs: { app: { external: true } }
secrets: { key: { environment: KEY } }
`),
    ).toEqual([
      "compose.yaml:10: configs.app.external: is not supported",
      "compose.yaml:11: secrets.key.environment: is not supported: a secret is in the cluster",
      "compose.yaml:5: services.web.tmpfs[0]: option mode=755 is not supported",
      "compose.yaml:7: services.web.extra_hosts: host: host-gateway is not supported",
      "compose.yaml:6: services.web.shm_size: big is not a size",
      "compose.yaml:8: services.web.configs[0]: there is no config none",
      "compose.yaml:9: services.web.secrets[0]: there is no secret none",
    ]);
  });

  it("has fields of the manifest in x-ployz", async () => {
    const manifest = await convert(
      `
services:
  web:
    image: nginx
    ports: ["80:80"]
    healthcheck: { test: "curl -f localhost", interval: 5s }
    x-ployz:
      routes: [{ host: www.example.com, port: p80 }]
      ready: { http: /, port: p80 }
      env: { TOKEN: { secret: token } }
`,
      "--namespace",
      "site",
    );
    expect(manifest.services?.web).toEqual({
      image: "nginx",
      ports: { p80: 80 },
      routes: [{ host: "www.example.com", port: "p80" }],
      ready: { http: "/", port: "p80" },
      env: { TOKEN: { secret: "token" } },
    });
  });

  it("has variables only from --env-file", async () => {
    const text = 'name: a\nservices: { web: { image: "nginx:${TAG:-1}", command: "echo $$HOME ${WHO}" } }\n';
    expect(await refusals(text)).toEqual([
      expect.stringContaining('compose.yaml:2: services.web.image: "nginx:${TAG:-1}" has a variable'),
      expect.stringContaining("services.web.command"),
    ]);
    await put(".env", "OTHER=1\n");
    expect(await refusals(text, "--env-file", ".env")).toEqual([
      "compose.yaml:2: services.web.command: variable WHO has no value",
    ]);
    await put(".env", 'WHO="me \\"too\\""\n');
    expect((await convert(text, "--env-file", ".env")).services?.web).toMatchObject({
      image: "nginx:1",
      command: ["echo", "$HOME", "me", "too"],
    });
  });

  it.each([
    ["a: [", "compose.yaml:1"],
    ["services:\n  web: 1\n", "services.web"],
    ["- a", "is a map"],
    ["name: x\nservices: {}\n", "there is no service"],
    ["services:\n  web:\n    image: nginx\n    image: other\n", "compose.yaml:4"],
    ["services:\n  web: { image: nginx }\n", "name: is missing"],
    ["name: x\nservices:\n  web:\n    image: nginx\n    ports: [{ target: x }]\n", "services.web.ports"],
    ["name: x\nservices: { web: { image: nginx, restart: on-failure } }\n", "restart"],
  ])("that cannot be one is refused: %j", async (text, message) => {
    await put("compose.yaml", text);
    const { code, err } = await ctl(["compose", "convert"], { cwd: dir });
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });
});

it("a file that is missing is named as the argument", async () => {
  const { code, err } = await ctl(["compose", "convert", "none.yaml"], { cwd: dir });
  expect([code, err]).toEqual([2, expect.stringContaining("FILE: none.yaml: no such file")]);
});

describe("several files and --set", () => {
  const preview = async (...argv: readonly string[]) => {
    await put(
      "base.toml",
      'namespace = "prod"\n[services.web]\nimage = "nginx"\nports = { http = 80 }\nenv = { A = "1", B = "2" }\n',
    );
    await put("prod.toml", '[services.web]\nreplicas = 3\nenv = { B = "3" }\nports = { http = 81 }\n');
    const { code, out, err } = await ctl(["deploy", "-n", "-f", "base.toml", "-f", "prod.toml", ...argv], {
      cwd: dir,
      env: { PLOYZ_SOCKET: join(dir, "none") },
    });
    return { code, said: out + err };
  };

  it("are laid over each other, and checked as one", async () => {
    // Past the check: the daemon is not there.
    expect((await preview()).code).toBe(4);
    expect((await preview("--set", "services.web.replicas=x")).said).toContain(
      "base.toml, prod.toml: services.web.replicas",
    );
    expect((await preview("--set", "services.web.typo=1")).said).toContain("services.web.typo");
    expect((await preview("--set", "services.web.image.x=1")).said).toContain("image is not a table");
    expect((await preview("--set", "novalue")).code).toBe(2);
    for (const path of ["services..replicas", ".services", "services.", "services.web."])
      expect((await preview("--set", `${path}=1`)).said).toContain("is not PATH=VALUE");
    expect((await preview("--set", 'services."web".env.A=x y')).code).toBe(4);
  });
});

it("a build is found beside the manifest that names it", async () => {
  await mkdir(join(dir, "sub"));
  await put("base.toml", 'namespace = "a"\n[services.web]\nimage = "nginx"\n');
  await put(
    "sub/more.toml",
    '[services.api]\nbuild = "./api"\n[jobs.j]\nbuild = { context = "j", target = "t" }\n',
  );
  const given = { files: ["base.toml", "sub/more.toml"], settings: [], envFiles: [] };
  expect(
    await loadManifest({ terminal: { cwd: dir } } as Parameters<typeof loadManifest>[0], given),
  ).toMatchObject({
    manifest: {
      services: { api: { build: join(dir, "sub/api") } },
      jobs: { j: { build: { context: join(dir, "sub/j"), target: "t" } } },
    },
  });
});

it("env_file is read beside its manifest, and env wins", async () => {
  await put(
    "m.toml",
    'namespace = "a"\n[services.web]\nimage = "nginx"\nenv_file = ["x.env"]\nenv = { A = "own" }\n',
  );
  const deploy = () =>
    ctl(["deploy", "-n", "-f", "m.toml"], { cwd: dir, env: { PLOYZ_SOCKET: join(dir, "none") } });
  expect((await deploy()).err).toContain("x.env: no such file");
  await put("x.env", "A=file\nnonsense\n");
  expect((await deploy()).err).toContain("x.env: line 2");
  await writeFile(join(dir, "x.env"), Buffer.from("B=\xff\n", "latin1"));
  expect((await deploy()).err).toContain("x.env: is not UTF-8");
  await put("x.env", "A=file\nB=2\n");
  expect((await deploy()).code).toBe(4);
});

it("a file named by path is read beside its manifest: text, or bytes in base64", async () => {
  await put(
    "m.toml",
    'namespace = "a"\n[services.web]\nimage = "nginx"\nfiles."/etc/x" = { path = "x", mode = "0600" }\n',
  );
  const load = () =>
    loadManifest({ terminal: { cwd: dir } as never }, { files: ["m.toml"], settings: [], envFiles: [] });
  const files = async () => {
    const loaded = await load();
    return loaded.ok && loaded.manifest.services?.web?.files;
  };
  await expect(load()).rejects.toMatchObject({ code: "usage", message: "x: no such file" });
  await put("x", "héllo\n");
  expect(await files()).toEqual({ "/etc/x": { text: "héllo\n", mode: "0600" } });
  await writeFile(join(dir, "x"), Buffer.from([0xff, 0]));
  expect(await files()).toEqual({ "/etc/x": { base64: "/wA=", mode: "0600" } });
  await put("x", "x".repeat(1024 ** 2 + 1));
  await expect(load()).rejects.toMatchObject({ message: expect.stringContaining("at most 1048576") });
});

it.each([
  ["A=1\n# c\n\nexport B = two words # c", { A: "1", B: "two words" }],
  ["A=\"x\\ny\"\nB='x\\ny'\nC=", { A: "x\ny", B: "x\\ny", C: "" }],
])("a file of variables: %j", (text, values) => expect(parseEnvFile(text, "x")).toEqual(values));

it.each([
  ['a \'b c\' "d\\"e" f\\ g', ["a", "b c", 'd"e', "f g"]],
  ['""', [""]],
  ["  ", []],
  ["a 'b", undefined],
])("words of %j", (line, words) => expect(shellWords(line)).toEqual(words));
