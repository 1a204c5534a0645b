import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { imageContent, imageDamage } from "../../src/image-content.ts";
import { type LayerSource, type Layout, makeLayout, pushLayout, putManifest } from "../../src/layout.ts";
import { type ImageRegistry, LOGIN, openRegistry } from "../../src/registry.ts";
import { openProxy, type RegistryProxy } from "../../src/registry-proxy.ts";
import { started } from "../../src/started.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const ALL = Array.from({ length: 256 }, (_, code) => code);
const PROGRAM = { Entrypoint: ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/"] };

describe.each([
  { runtime: "process", docker: false },
  { runtime: "Docker", docker: true },
])("faults of registries on the runtime $runtime", ({ docker }) => {
  let cluster: Cluster;
  let registry: ImageRegistry;
  let secured: ImageRegistry;
  let proxy: RegistryProxy;
  let count = 0;

  const sh = async (i: number, script: string, input = "") =>
    (await cluster.lab.sh(i, ["sh", "-c", script], { timeoutMs: 120_000, input })).stdout.trim();
  const made = (layers: readonly LayerSource[], more = {}) =>
    makeLayout({ layers, program: PROGRAM, ...more });
  const small = () => made([{ script: `echo ${++count} >version` }]);
  /** A name that only the registry has; asked for through the proxy. */
  async function pushed(layout: Layout, tag = `v${++count}`): Promise<string> {
    await pushLayout(cluster.lab, registry, layout, `shop/web:${tag}`);
    return `${proxy.host}/shop/web:${tag}`;
  }
  const pull = async (image: string, to = "m1,m2") => {
    const { exitCode, stdout, stderr } = await cluster.ctl(
      1,
      ["image", "pull", image, "--to", to, "--json"],
      {
        ok: ALL,
      },
    );
    expect(stdout + stderr).not.toContain('"internal"');
    return { exitCode, said: stdout + stderr };
  };
  const manifest = (image: string) => `namespace = "shop"
[services.web]
image    = "${image}"
ports    = { http = 8080 }
routes   = [{ host = "www.example.test", port = "http" }]
ready    = { http = "/bin/busybox", port = "http", timeout = "30s" }
drain    = "0s"
`;
  const deploy = async (image: string, args: readonly string[] = []) =>
    cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest(image)), ...args, "--json"], {
      ...{ ok: ALL, timeoutMs: 180_000 },
    });
  const inside = async (script: string) =>
    (await cluster.ctl(1, ["exec", "shop/web", "--", "/bin/sh", "-c", script])).stdout.trim();
  const nothingLeft = async () => {
    await cluster.ctl(1, ["image", "prune", "--all", "--yes"]);
    for (const i of [1, 2]) expect(await imageDamage(cluster, i)).toEqual([]);
  };

  beforeAll(async () => {
    cluster = await openCluster({ machines: 2, docker, volumes: !docker });
    registry = await openRegistry(cluster.lab, { port: 5001, tls: false });
    secured = await openRegistry(cluster.lab, { port: 5000, tls: true });
    proxy = await openProxy(cluster.lab, { port: 5002, upstream: registry.host });
    for (const i of [1, 2]) {
      const dir = `/etc/docker/certs.d/${secured.host}`;
      await sh(i, `mkdir -p ${dir} && cat >${dir}/ca.crt`, secured.ca);
      await sh(i, `printf '\\n[registries."${proxy.host}"]\\ninsecure = true\\n' >>/etc/ployz/config.toml`);
      await cluster.ctl(i, ["daemon", "install"]);
    }
  }, 900_000);
  afterAll(async () => {
    for (const one of [proxy, registry, secured]) await one?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  it("a login is needed, a wrong one is refused, and the right one pulls", async () => {
    await using image = await small();
    await pushLayout(cluster.lab, secured, image, "shop/private:v1");
    const name = `${secured.host}/shop/private:v1`;
    const login = async (password: string, ok: number) =>
      cluster.ctl(
        1,
        ["registry", "login", secured.host, "-u", LOGIN.username, "--password-stdin", "--json"],
        {
          ...{ input: `${password}\n`, ok: [ok] },
        },
      );
    expect(await pull(name)).toMatchObject({ exitCode: 3, said: expect.stringContaining("registry_denied") });
    expect((await login("wrong", 3)).stdout).toContain("registry_denied");
    await login(LOGIN.password, 0);
    expect((await pull(name)).exitCode).toBe(0);
    await cluster.ctl(2, ["registry", "logout", secured.host]);
  });

  it("an expired token is replaced in the middle of a pull", async () => {
    await using image = await made(Array.from({ length: 6 }, (_, n) => ({ script: `echo ${n} >f${n}` })));
    await proxy.faults({ token: { uses: 2 } });
    expect(await pull(await pushed(image))).toMatchObject({ exitCode: 0 });
    const paths = proxy.answered().map((line) => line.split(" ")[1]);
    expect(paths.filter((path) => path === "/token").length).toBeGreaterThan(2);
  });

  it("a tag that moves between plan and apply does not change the image of the deploy", async () => {
    await using first = await made([{ script: "echo first >version" }]);
    await using second = await made([{ script: "echo second >version" }]);
    await proxy.faults({});
    const image = await pushed(first, "moving");
    const file = await cluster.put(1, manifest(image));
    const running = await started(cluster, 1, ["deploy", "-f", file]);
    await running.event(({ type }) => type === "step");
    await pushed(second, "moving");
    const { exitCode, stdout } = await running.done;
    expect(exitCode, stdout).toBe(0);
    expect(await inside("cat /version")).toBe("first");
    expect((await cluster.ctl(1, ["show", "shop", "--json"])).stdout).toContain(first.digest);
  });

  it("a rate limit is waited for when the registry says a short time, and else refused with it", async () => {
    await using image = await small();
    const name = await pushed(image);
    const limited = (path: string, seconds: number, times?: number) => ({
      rules: [{ path, status: 429, headers: { "retry-after": String(seconds) }, ...(times && { times }) }],
    });
    await proxy.faults(limited("/manifests/", 3600));
    const long = await pull(name);
    expect(long).toMatchObject({ exitCode: 3, said: expect.stringContaining("registry_rate_limited") });
    expect(long.said).toContain("3600 seconds");
    expect(proxy.answered().length).toBeLessThan(6);
    await proxy.faults(limited("/(manifests|blobs)/", 1, 3));
    expect(await pull(name)).toMatchObject({ exitCode: 0 });
  });

  it("a blob that is corrupted on the wire is fetched again, and refused when it always is", async () => {
    await using image = await made([{ script: "head -c 3000000 /dev/urandom >noise" }]);
    const name = await pushed(image);
    const big = [...image.blobs].sort((a, b) => b.size - a.size)[0]?.digest ?? "";
    await proxy.faults({ rules: [{ path: big, corrupt: true }] });
    const never = await pull(name);
    expect(never.exitCode).not.toBe(0);
    expect(never.said).toContain("image_blob_corrupt");
    for (const i of [1, 2]) {
      expect(await imageDamage(cluster, i)).toEqual([]);
      expect((await imageContent(cluster, i)).join()).not.toContain(big.slice(7));
    }
    await proxy.faults({ rules: [{ path: big, corrupt: true, times: 1 }] });
    expect(await pull(name)).toMatchObject({ exitCode: 0 });
  });

  it("a connection cut at nine tenths is continued there", async () => {
    await using image = await made([{ script: "head -c 5000000 /dev/urandom >noise" }]);
    const name = await pushed(image);
    const big = [...image.blobs].sort((a, b) => b.size - a.size)[0];
    await proxy.faults({ rules: [{ path: big?.digest ?? "", cut: 0.9, times: 2 }] });
    expect(await pull(name)).toMatchObject({ exitCode: 0 });
    const asked = proxy.answered().filter((line) => line.includes(big?.digest ?? ""));
    expect(asked).toHaveLength(3);
    const from = asked.map((line) => Number(/bytes=(\d+)-/.exec(line)?.[1] ?? 0));
    expect(from[0]).toBe(0);
    expect(from[1]).toBeGreaterThan(0.85 * (big?.size ?? 0));
    expect(from[2]).toBeGreaterThan(from[1] ?? 0);
    expect(from[2]).toBeGreaterThan(0.95 * (big?.size ?? 0));
  });

  it("an index gives the machine's platform, or is refused with both named; schema 1 is refused", async () => {
    await proxy.faults({});
    await using own = await made([{ script: "echo own >version" }]);
    await using arm = await made([{ script: "echo arm >version" }], { architecture: "arm64" });
    for (const layout of [own, arm]) await pushLayout(cluster.lab, registry, layout, "shop/multi:part");
    const entry = ({ digest, manifest: bytes }: Layout, architecture: string) => ({
      ...{ mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: bytes.length },
      platform: { os: "linux", architecture },
    });
    const put = (reference: string, manifests: readonly object[]) =>
      putManifest(cluster.lab, registry, {
        ...{ repository: "shop/multi", reference, mediaType: INDEX },
        bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests })),
      });
    for (const layout of [own, arm])
      await putManifest(cluster.lab, registry, {
        ...{ repository: "shop/multi", reference: layout.digest, bytes: layout.manifest },
        mediaType: "application/vnd.oci.image.manifest.v1+json",
      });
    await put("both", [entry(arm, "arm64"), entry(own, "amd64")]);
    await put("arm", [entry(arm, "arm64")]);
    const right = await deploy(`${proxy.host}/shop/multi:both`);
    expect(right.exitCode, right.stdout).toBe(0);
    expect(await inside("cat /version")).toBe("own");
    const other = await deploy(`${proxy.host}/shop/multi:arm`, ["-n"]);
    expect(other.exitCode).toBe(3);
    expect(other.stdout).toMatch(/linux\/amd64.*linux\/arm64/);
    const old = { schemaVersion: 1, name: "shop/old", tag: "v1", fsLayers: [], history: [] };
    const type = { "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws" };
    await proxy.faults({
      rules: [{ path: "/shop/old/manifests/", status: 200, headers: type, body: JSON.stringify(old) }],
    });
    const obsolete = await deploy(`${proxy.host}/shop/old:v1`, ["-n"]);
    expect(obsolete.exitCode).toBe(3);
    expect(obsolete.stdout).toContain("image_invalid");
    expect(obsolete.stdout).toContain("schema 1");
  });

  it("layers in zstd run, or are refused by a machine whose engine cannot read them", async () => {
    await proxy.faults({});
    await using image = await made([{ script: "echo zstd >version", compress: "zstd" }]);
    const { exitCode, stdout, stderr } = await deploy(await pushed(image));
    expect(stdout + stderr).not.toContain('"internal"');
    if (docker) {
      expect(exitCode).not.toBe(0);
      expect(stdout + stderr).toMatch(/zstd/);
    } else {
      expect(exitCode, stdout).toBe(0);
      expect(await inside("cat /version")).toBe("zstd");
    }
  });

  it("127 layers run, or are refused by a machine whose engine cannot stack them", async () => {
    await proxy.faults({});
    const layers = Array.from({ length: 126 }, (_, n) => ({
      script: `mkdir d; echo ${n} >d/f${n}; echo ${n} >top`,
    }));
    await using image = await made(layers);
    const { exitCode, stdout } = await deploy(await pushed(image));
    if (docker) {
      expect(exitCode).not.toBe(0);
      return expect(stdout).toMatch(/image_invalid.*127 layers/);
    }
    expect(exitCode, stdout).toBe(0);
    expect(await inside("cat /top; ls /d | /bin/busybox wc -l")).toBe("125\n126");
  });

  it("links, whiteouts and devices come out as the specification says", async () => {
    await proxy.faults({});
    await using image = await made([
      {
        script:
          "mkdir -p data/deep real opq; echo old >data/deep/f; echo old >real/f; echo low >opq/low; ln -s /real absolute; ln -s /etc/passwd leak; ln -s ../../../../../../etc up",
      },
      {
        script:
          "touch .wh.data; mkdir opq; touch opq/.wh..wh..opq; echo high >opq/high; mknod null c 1 3; mknod full c 1 7; mkfifo pipe; echo new >hard; ln hard hard2; chmod 4755 hard",
      },
      // Its parent is a link of a layer below: followed here, replaced by a folder in Docker's overlays; its name is the same.
      { script: "mkdir absolute; echo through >absolute/g", tar: ["absolute/g"] },
    ]);
    const { exitCode, stdout } = await deploy(await pushed(image));
    expect(exitCode, stdout).toBe(0);
    expect(
      await inside("ls -d /data 2>&1 | /bin/busybox grep -c 'No such'; ls /opq; cat /real/f /absolute/g"),
    ).toBe("1\nhigh\nold\nthrough");
    expect(await inside("stat -c '%F %t:%T' /null /full; stat -c %F /pipe; stat -c '%a %h' /hard2")).toBe(
      "character special file 1:3\ncharacter special file 1:7\nfifo\n4755 2",
    );
    expect(await inside("cat /leak 2>&1; ls /up")).not.toMatch(/root:|ployz/);
  });

  it.each([
    [
      "a path upwards",
      {
        script: "mkdir in; echo bad >in/escaped; cp in/escaped escaped",
        tar: ["--transform=s,^escaped,../../../../../../../../escaped,", "escaped"],
      },
    ],
    [
      "a hard link upwards",
      {
        script: "echo bad >a; ln a b",
        tar: ["--transform=flags=h;s,^a,../../../../../../etc/passwd,", "a", "b"],
      },
    ],
    [
      "a whiteout upwards",
      { script: "touch x", tar: ["--transform=s,^x,../../../../../../../../root/.wh.victim,", "x"] },
    ],
    [
      "a file through a link of the same layer",
      {
        script: "ln -s ../../../../../../../../root out; mkdir q; echo bad >q/escaped",
        tar: ["--transform=s,^q,out,", "out", "q/escaped"],
      },
    ],
    [
      "a file through an absolute link",
      {
        script: "ln -s /root out; mkdir q; echo bad >q/escaped",
        tar: ["--transform=s,^q,out,", "out", "q/escaped"],
      },
    ],
  ] as const)("%s does nothing outside of the root", async (_, layer) => {
    await proxy.faults({});
    for (const i of [1, 2]) await sh(i, "echo kept >/root/victim; cp /etc/passwd /root/passwd");
    await using image = await made([layer]);
    const { exitCode, stdout, stderr } = await deploy(await pushed(image));
    expect(stdout + stderr).not.toContain('"internal"');
    if (exitCode !== 0) expect(stdout + stderr).toMatch(/image_invalid|invalid|outside|breakout|layer/);
    for (const i of [1, 2]) {
      expect(await sh(i, "cat /root/victim; cmp /etc/passwd /root/passwd && echo same")).toBe("kept\nsame");
      const found = await sh(
        i,
        "ls -d /escaped /root/escaped /var/escaped /var/lib/escaped /var/lib/ployz/escaped 2>/dev/null || true",
      );
      expect(found).toBe("");
    }
  });

  it("a layer that is cut, or is no tar, or not the one of the configuration, is refused", async () => {
    await proxy.faults({});
    const before = await cluster.get(1, "www.example.test", "/bin/busybox");
    await using image = await made([{ script: "echo text >f", compress: "none", tar: ["f"] }]);
    const name = await pushed(image);
    const broken = await brokenConfig(image);
    await putManifest(cluster.lab, registry, { repository: "shop/web", reference: "broken", ...broken });
    const { exitCode, stdout, stderr } = await deploy(`${proxy.host}/shop/web:broken`);
    expect(exitCode).not.toBe(0);
    expect(stdout + stderr).not.toContain('"internal"');
    expect((await deploy(name)).exitCode).toBe(0);
    expect((await cluster.get(1, "www.example.test", "/bin/busybox")).status).toBe(before.status);
    await nothingLeft();
  });

  /** The manifest with its two layers in the wrong order. */
  const brokenConfig = async ({ manifest: bytes }: Layout) => {
    const parsed = JSON.parse(bytes.toString()) as { layers: unknown[] };
    parsed.layers.reverse();
    return {
      bytes: Buffer.from(JSON.stringify(parsed)),
      mediaType: "application/vnd.oci.image.manifest.v1+json",
    };
  };
});
