import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../src/cluster.ts";

/** m1 and m2 are a cluster; m3 is a laptop that reaches m1 through m2 only, as a user who is not root there. */
let cluster: Cluster;
const ANY = Array.from({ length: 256 }, (_, code) => code);
const sh = (i: number, script: string, input?: string) =>
  cluster.lab.sh(i, ["sh", "-c", script], { okExitCodes: ANY, timeoutMs: 60_000, ...(input && { input }) });
const laptop = (...argv: readonly string[]) => cluster.ctl(3, argv, { ok: ANY });
const CONFIG = `Host *
  User deploy
  IdentityFile /root/.ssh/laptop
  StrictHostKeyChecking accept-new
Host inner
  HostName m1
  ProxyJump outer
Host outer
  HostName m2
`;

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, members: 2, installed: 3 });
  await sh(3, "mkdir -p -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/laptop");
  await sh(3, "cat > /root/.ssh/config && chmod 600 /root/.ssh/config", CONFIG);
  const { stdout: key } = await sh(3, "cat /root/.ssh/laptop.pub");
  for (const i of [1, 2]) {
    await sh(i, "useradd -m -s /bin/bash -G ployz deploy && mkdir -m 700 ~deploy/.ssh");
    await sh(i, "cat > ~deploy/.ssh/authorized_keys && chown -R deploy: ~deploy/.ssh", key);
    await sh(i, "sed -i '1i echo a shell that prints' ~deploy/.bashrc");
  }
  await laptop("context", "add", "prod", "inner", "outer");
  await laptop("context", "use", "prod");
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("a laptop with a jump host in its ssh_config deploys a folder, and works with it", async () => {
  const file = await cluster.put(3, webManifest({ replicas: 2 }), webBundle);
  const deployed = await laptop("deploy", "-f", file);
  expect([deployed.exitCode, deployed.stderr]).toEqual([0, expect.not.stringContaining("trying the next")]);
  expect((await laptop("status")).stdout).toContain("prod");
  expect((await sh(2, "pgrep -fc '[d]ial-stdio'")).stdout.trim()).toBe("0");

  const both = await sh(
    3,
    "head -c 20000000 /dev/urandom > /root/big; sha256sum < /root/big; ployzctl exec -i prod/web.1 -- cat < /root/big | sha256sum",
  );
  const [sent, received] = both.stdout.trim().split("\n");
  expect([received, both.stderr]).toEqual([sent, ""]);
  expect((await laptop("exec", "prod/web.2", "--", "sh", "-c", "exit 42")).exitCode).toBe(42);
  expect((await laptop("cp", "/root/big", "prod/web.1:/tmp/big")).exitCode).toBe(0);
  expect((await sh(3, "ployzctl exec prod/web.1 -- sha256sum /tmp/big")).stdout).toContain(
    sent?.slice(0, 64),
  );
  const tty = await sh(
    3,
    "script -qec 'ployzctl exec -it prod/web.1 -- tty -s && echo is one' /dev/null </dev/null",
  );
  expect(tty.stdout).toContain("is one");
});

it("Compose files are merged as docker compose does it, and a deploy names the files that it has read", async () => {
  const folder = (await cluster.put(3, "", webBundle)).replace(/\/[^/]*$/, "");
  const files = {
    "compose.yaml":
      "name: shop\nservices:\n  web:\n    command: [node, server.mjs]\n    environment: [A=base, B=base]\n    x-ployz: { bundle: ./web }\n",
    "compose.override.yaml": "services:\n  web:\n    environment: { A: local }\n",
    "compose.prod.yaml":
      'services:\n  web:\n    command: !override [sh, -c, "exec sleep 100000"]\n    environment: { B: prod }\n    group_add: [1234]\n',
  };
  for (const [name, text] of Object.entries(files)) await sh(3, `cat >${folder}/${name}`, text);
  const at = (command: string) => sh(3, `cd ${folder} && ${command}`);
  expect((await at("ployzctl deploy -n -f compose.yaml")).stderr).toContain(
    "read compose.yaml alone; compose.override.yaml is read where it is named",
  );
  const mixed = await at("ployzctl deploy -n -f compose.yaml -f ployz.toml");
  expect(mixed.exitCode).toBe(2);
  const deployed = await at("ployzctl deploy -f compose.yaml -f compose.prod.yaml");
  expect([deployed.exitCode, deployed.stderr]).toEqual([
    0,
    expect.stringContaining("read compose.yaml, compose.prod.yaml"),
  ]);
  expect((await laptop("exec", "shop/web", "--", "sh", "-c", "echo $A $B; id -G")).stdout).toMatch(
    /^base prod\n.*1234/,
  );
  await laptop("namespace", "rm", "shop", "-y");
});

it("logs follow, and ports are forwarded", async () => {
  await sh(3, "ployzctl logs -f prod/web > /root/logs 2>&1 & echo $! > /root/logs.pid");
  await sh(3, "ployzctl port-forward prod/web 18080:8080 > /root/forward 2>&1 & echo $! > /root/forward.pid");
  const answer = await waitFor(
    "an answer through the forwarded port",
    async () => {
      const { stdout, exitCode } = await sh(3, "curl -s -m 5 http://127.0.0.1:18080/");
      return exitCode === 0 ? stdout : undefined;
    },
    { timeoutMs: 15_000 },
  );
  expect(answer).toContain("v1");
  await waitFor(
    "lines in the log",
    async () => (await sh(3, "grep -c starting /root/logs")).stdout.trim() !== "0" || undefined,
    {
      timeoutMs: 15_000,
    },
  );
  await sh(3, "kill -INT $(cat /root/logs.pid /root/forward.pid)");
  await waitFor(
    "no ployzctl on m1",
    async () => (await sh(1, "pgrep -f '[d]ial-stdio'")).exitCode === 1 || undefined,
    { timeoutMs: 15_000 },
  );
});

it("a warm command takes at most 300 ms longer than on the machine itself", async () => {
  const time = async (i: number) => {
    const began = performance.now();
    await cluster.ctl(i, ["ps"]);
    return Math.round(performance.now() - began);
  };
  await laptop("ps");
  const there: number[] = [];
  const here: number[] = [];
  for (let i = 0; i < 5; i++) {
    there.push(await time(1));
    here.push(await time(3));
  }
  console.log(`ps on m1: ${there.join(", ")} ms; on the laptop, over a jump host: ${here.join(", ")} ms`);
  // A loaded machine is slow at both.
  expect(Math.min(...here)).toBeLessThan(3 * Math.min(...there) + 300);
});

it("a daemon that is down is passed by, and without a key nothing is reached", async () => {
  await sh(1, "mv /run/ployz/ployzd.sock /run/ployz/away");
  const { exitCode, stderr } = await laptop("ps");
  expect([exitCode, stderr]).toEqual([
    0,
    expect.stringMatching(/ssh:\/\/inner: no daemon answers .*; trying the next/),
  ]);
  await sh(1, "mv /run/ployz/away /run/ployz/ployzd.sock");
  await sh(3, "mv /root/.ssh/laptop /root/.ssh/away; rm -rf /root/.cache/ployz");
  const refused = await laptop("ps", "-H", "ssh://deploy@m2", "--json");
  expect([refused.exitCode, refused.stdout]).toEqual([3, expect.stringContaining("ssh_auth_failed")]);
});
