import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { makeImage } from "../../src/docker.ts";
import { within } from "../../src/survive.ts";

/** Serves until the file `hung` is there; its own start removes that. */
const SCRIPT = [
  "busybox mkdir -p /tmp/www/cgi-bin; busybox rm -f /tmp/hung",
  String.raw`printf '#!/bin/sh\n[ -e /tmp/hung ] && sleep 100\nprintf "Content-Type: text/plain\\r\\n\\r\\nok"\n' >/tmp/www/cgi-bin/health`,
  "busybox chmod 755 /tmp/www/cgi-bin/health",
  "exec busybox httpd -f -p 8080 -h /tmp/www",
].join("; ");
const NAMES = ["web", "tool"] as const;

describe("containers", () => {
  let cluster: Cluster;
  /** Of the instances on m2, by service. */
  let slots: Readonly<Record<string, number>> = {};
  const sh = (script: string) =>
    cluster.lab.sh(2, ["sh", "-c", script], {
      ...{ okExitCodes: Array.from({ length: 256 }, (_, code) => code), timeoutMs: 60_000 },
    });
  const inside = async (name: string, script: string) =>
    (await sh(`ployzctl exec shop/${name}.${slots[name]} -- sh -c ${JSON.stringify(script)}`)).stdout;
  /** Both hang; resolves when each has begun a new life. */
  async function hang(when: string): Promise<void> {
    for (const name of NAMES) await inside(name, "echo >/tmp/hung");
    for (const name of NAMES)
      await within(`${name} was restarted ${when}`, 90_000, async () =>
        (await inside(name, "[ -e /tmp/hung ] || echo fresh")) === "fresh\n" ? true : undefined,
      );
  }

  beforeAll(async () => {
    cluster = await openCluster({ machines: 2, docker: true });
    await makeImage(cluster, 1, "shop/web:v1");
    const service = (name: string, liveness: string) => `[services.${name}]
image = "shop/web:v1"
command = ${JSON.stringify(["sh", "-c", SCRIPT])}
replicas = 2
ports = { http = 8080 }
ready = { http = "/cgi-bin/health", port = "http" }
liveness = { ${liveness}, every = "1s", timeout = "1s", failures = 2 }
stop_grace = "1s"
`;
    const manifest = `namespace = "shop"
${service("web", 'http = "/cgi-bin/health", port = "http"')}
${service("tool", 'exec = ["sh", "-c", "[ ! -e /tmp/hung ]"]')}`;
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest)]);
    const { instances } = await cluster.json<{
      instances: readonly { readonly service: string; readonly slot: number; readonly machine: string }[];
    }>(1, ["ps"]);
    const on2 = instances.filter(({ machine }) => machine === "m2");
    slots = Object.fromEntries(on2.map(({ service: name, slot }) => [name, slot]));
    expect(Object.keys(slots).sort()).toEqual([...NAMES].sort());
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  it("restarts hung instances, also while no machine has the store, and when the daemon starts without it", async () => {
    await hang("with the store");
    const { stdout } = await cluster.ctl(1, ["ps", "-o", "wide"]);
    expect(stdout.match(/\(1 hung\)/g)).toHaveLength(2);
    await cluster.lab.cut(1);
    await hang("without the store");
    await sh("kill -9 $(pgrep -f '[p]loyzd.* run')");
    await within("the daemon answers", 60_000, async () =>
      (await inside("web", "echo there")) === "there\n" ? true : undefined,
    );
    await hang("by a daemon that has started without the store");
  });
});
