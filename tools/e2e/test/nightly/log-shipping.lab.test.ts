import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster, webBundle } from "../../src/cluster.ts";
import { makeImage } from "../../src/docker.ts";
import { runtimesWith } from "../../src/runtimes.ts";
import { daemonStatus, daemonUp, type Status } from "../../src/survive.ts";

/** Counts for ever, a hundred lines a second. */
const COUNT =
  "n=0; while :; do i=0; while [ $i -lt 10 ]; do echo $n; n=$((n + 1)); i=$((i + 1)); done; busybox sleep 0.1; done";
interface Received {
  readonly instance: string;
  readonly service: string;
  readonly revision?: string;
  readonly id: string;
  readonly line: string;
}

describe.each(runtimesWith(COUNT))("logs of the runtime of $runtime on a server", ({ docker, program }) => {
  let cluster: Cluster;
  const on = async (script: string, input?: string) =>
    (await cluster.lab.sh(1, ["sh", "-c", script], { ...(input !== undefined && { input }) })).stdout;
  const receive = () =>
    on(
      `(${node} /root/log-receiver.mjs /root/received /root/key.pem /root/cert.pem) >/root/receiver.log 2>&1 & echo $! > /root/receiver.pid`,
    );
  const away = () => on("kill -9 $(cat /root/receiver.pid)");
  const forward = async (toml: string) => {
    await on(
      "mkdir -p /etc/ployz; sed -i '/^\\[logs\\]/,$d' /etc/ployz/config.toml 2>/dev/null; cat >>/etc/ployz/config.toml",
      toml,
    );
    await cluster.ctl(1, ["daemon", "install"], { timeoutMs: 120_000 });
    await daemonUp(cluster, 1);
  };
  const received = async (): Promise<readonly Received[]> =>
    (await on("cat /root/received 2>/dev/null || true"))
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Received);
  const deploy = async (version: number) =>
    cluster.ctl(1, ["deploy", "-f", await put(version)], { timeoutMs: 240_000 });
  const put = (version: number) =>
    cluster.put(
      1,
      `namespace = "prod"\n[services.count]\n${program}\nenv = { V = "${version}" }\n`,
      webBundle,
    );
  /** The server has so many lines of the newest instance more than now. */
  const more = async (lines: number) => {
    const before = (await received()).length;
    await waitFor(
      `${lines} lines more`,
      async () => (await received()).length >= before + lines || undefined,
      {
        ...{ timeoutMs: 90_000, intervalMs: 1_000 },
      },
    );
  };

  beforeAll(async () => {
    cluster = await openCluster({ machines: 1, docker });
    if (docker) await makeImage(cluster, 1, "shop/web:v1");
    await on("cat > /root/log-receiver.mjs", await readFile(join(fixtures, "log-receiver.mjs"), "utf8"));
    await on(
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout /root/key.pem -out /root/cert.pem -subj /CN=logs.test -addext subjectAltName=IP:127.0.0.1",
    );
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  /** Of each instance: all numbers from its first to its last one, in order, each once; with `twice` also again, under the same id. */
  function whole(all: readonly Received[], twice = false): number {
    for (const instance of new Set(all.map((one) => one.instance))) {
      const lines = all.filter((one) => one.instance === instance);
      const ids = new Set<string>();
      const numbers = lines
        .filter(({ id }) => !twice || (!ids.has(id) && ids.add(id)))
        .map(({ line }) => Number(line));
      const first = numbers[0] ?? 0;
      expect(numbers).toEqual(numbers.map((_, i) => first + i));
    }
    return all.length;
  }

  it("a wrong URL is refused with its field, and without its password", async () => {
    await on("mkdir -p /etc/ployz; cat >/root/wrong.toml", '[logs]\nforward = "http://me:hidden@x"\n');
    const told = await on(
      "/usr/local/lib/ployz/current/bin/ployzd check --config /root/wrong.toml 2>&1; echo exit $?",
    );
    expect(told).toContain("exit 2");
    expect(told).toContain("logs.forward");
    expect(told).not.toContain("hidden");
  });

  it("each line arrives once and in order by OTLP, over restarts of daemon and server and a deploy", async () => {
    await receive();
    await forward('[logs]\nforward = "otlp+http://127.0.0.1:4318"\n');
    await deploy(1);
    await more(200);
    const { pid } = await daemonStatus(cluster, 1);
    await cluster.ctl(1, ["daemon", "stop"]);
    await cluster.ctl(1, ["daemon", "start"]);
    await daemonUp(cluster, 1, pid);
    await more(200);
    await away();
    await waitFor(
      "the warning",
      async () =>
        (await cluster.json<Status>(1, ["status"])).warnings.some(({ message }) =>
          message.includes("logs do not reach otlp+http://127.0.0.1:4318"),
        ) || undefined,
      { timeoutMs: 120_000, intervalMs: 2_000 },
    );
    expect((await cluster.ctl(1, ["doctor"], { ok: [0, 3] })).stdout).toContain("ECONNREFUSED");
    // An instance that ends meanwhile.
    await deploy(2);
    await receive();
    await more(1_000);
    const all = await received();
    expect(new Set(all.map(({ instance }) => instance)).size).toBe(2);
    expect(new Set(all.map(({ revision }) => revision)).size).toBe(2);
    for (const { line } of [...new Map(all.toReversed().map((one) => [one.instance, one])).values()])
      expect(line).toBe("0");
    console.log(`${whole(all)} lines by OTLP`);
  });

  it("a killed daemon sends no line out of order, and none twice without its id", async () => {
    const { pid } = await daemonStatus(cluster, 1);
    await on(`kill -9 ${pid}`);
    await daemonUp(cluster, 1, pid);
    await more(300);
    console.log(`${whole(await received(), true)} lines, some of them twice`);
  });

  it("by syslog over TLS, from where OTLP ended", async () => {
    await forward('[logs]\nforward = "syslog+tls://127.0.0.1:6514"\nforward_ca = "/root/cert.pem"\n');
    await more(300);
    const all = await received();
    const first = all.findIndex(({ revision }) => revision === undefined);
    expect(first).toBeGreaterThan(0);
    expect(all.length - first).toBeGreaterThan(100);
    expect(all.slice(first).filter(({ revision }) => revision !== undefined)).toEqual([]);
    console.log(`${whole(all, true)} lines, the last ones by syslog`);
  });

  it("by Loki's push API", async () => {
    await on("rm /root/received");
    await forward('[logs]\nforward = "loki+http://127.0.0.1:4318"\n');
    await more(300);
    console.log(`${whole((await received()).filter(({ instance }) => instance === "1"))} lines by Loki`);
  });
});
