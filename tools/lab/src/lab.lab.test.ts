import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processesIn } from "./cgroup.ts";
import { attachLab, type Lab, openLab } from "./lab.ts";
import { leftovers } from "./leftovers.ts";
import { labCgroup } from "./names.ts";

/** Serves 200 on a port of a machine, with the HAProxy that is installed there. */
async function serve(lab: Lab, machine: number): Promise<string> {
  const config = `defaults
  mode http
  timeout client 5s
  timeout connect 5s
  timeout server 5s
frontend test
  bind :8080
  http-request return status 200 content-type text/plain string ok
`;
  await lab.sh(machine, ["sh", "-c", "cat >/etc/test.cfg && haproxy -D -f /etc/test.cfg"], { input: config });
  return `http://${lab.addresses[machine - 1]}:8080/`;
}

const reach = async (lab: Lab, from: number, to: number) =>
  (await lab.sh(from, ["ping", "-c", "1", "-W", "1", `m${to}`], { okExitCodes: [0, 1] })).exitCode === 0;

describe("a lab of three ns machines", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab({ machines: 3 });
  }, 600_000);
  afterAll(async () => {
    await lab?.down();
  });

  it("passes stdin, output and exit code through", async () => {
    const { stdout, stderr, exitCode } = await lab.sh(2, ["sh", "-c", "cat; hostname >&2; exit 7"], {
      input: "hello",
      okExitCodes: [7],
    });
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: "hello", stderr: "m2\n", exitCode: 7 });
    await expect(lab.sh(4, ["true"])).rejects.toMatchObject({ code: "machine_missing" });
  });

  it("is a set of servers with sshd and no systemd, and m1 can log in to the others by name", async () => {
    const login = ["ssh", "-o", "StrictHostKeyChecking=accept-new", "root@m2", "hostname"] as const;
    expect((await lab.sh(1, login)).stdout).toBe("m2\n");
    await expect(lab.sh(1, ["test", "-e", "/run/systemd/system"])).rejects.toMatchObject({ exitCode: 1 });
    await expect(lab.sh(2, ["test", "-e", "/root/.ssh/id_ed25519"])).rejects.toMatchObject({ exitCode: 1 });
  });

  it("has no way out, and says so at once", async () => {
    const out = await lab.sh(1, ["curl", "-sS", "-m", "5", "http://192.0.2.1/"], { okExitCodes: [7] });
    expect(out.exitCode).toBe(7);
  });

  it("has a ZFS that makes pools on files, and limits that work", async () => {
    await lab.sh(1, [
      "sh",
      "-c",
      "truncate -s 256M /var/lib/pool && zpool create tank /var/lib/pool && zfs create tank/a",
    ]);
    expect((await lab.sh(1, ["zfs", "list", "-H", "-o", "name,mountpoint"])).stdout).toContain(
      "tank/a\t/tank/a\n",
    );
    const limit = "cd /sys/fs/cgroup/pids && mkdir t && echo 5 >t/pids.max && cat t/pids.max && rmdir t";
    expect((await lab.sh(1, ["sh", "-c", limit])).stdout).toBe("5\n");
  });

  it("carries a WireGuard interface in user space", async () => {
    const start =
      "wireguard-go wg0 >/dev/null 2>&1 && until wg show wg0 >/dev/null 2>&1; do sleep 0.02; done; wg genkey | wg set wg0 private-key /dev/stdin && wg show wg0 public-key";
    expect((await lab.sh(3, ["sh", "-c", start])).stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
  });

  it("comes back from a power cut with its disk, pools, name and services, and nothing of what ran", async () => {
    const service =
      "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: probe\n# Default-Start: 2 3 4 5\n# Default-Stop:\n### END INIT INFO\ntouch /run/probe\n";
    await lab.sh(
      1,
      ["sh", "-c", "cat >/etc/init.d/probe && chmod +x /etc/init.d/probe && update-rc.d probe defaults"],
      { input: service },
    );
    await lab.sh(1, [
      "sh",
      "-c",
      "echo kept >/root/file && echo data | dd of=/tank/a/file conv=fsync && iptables -A INPUT -p tcp --dport 9 -j DROP",
    ]);
    const bootId = async () => (await lab.sh(1, ["cat", "/proc/sys/kernel/random/boot_id"])).stdout;
    const firstBoot = await bootId();
    await lab.sh(1, ["sh", "-c", "setsid sleep 987654 >/dev/null 2>&1 &"]);
    await lab.cut(1);
    expect(await reach(lab, 2, 1)).toBe(false);
    await expect(lab.sh(1, ["true"])).rejects.toMatchObject({ code: "machine_off" });
    await lab.on(1);
    expect(await reach(lab, 2, 1)).toBe(true);
    expect((await lab.sh(1, ["cat", "/root/file", "/tank/a/file", "/etc/hostname"])).stdout).toBe(
      "kept\ndata\nm1\n",
    );
    await lab.sh(1, ["test", "-e", "/run/probe"]);
    expect(await bootId()).not.toBe(firstBoot);
    expect((await lab.sh(1, ["ps", "-eo", "args"])).stdout).not.toContain("987654");
    expect((await lab.sh(1, ["iptables", "-S", "INPUT"])).stdout).toBe("-P INPUT ACCEPT\n");
  });

  it("loses a share of a machine's packets until healed", async () => {
    const answered = async () =>
      Number(
        /(\d+) received/.exec(
          (await lab.sh(2, ["ping", "-q", "-i", "0.01", "-c", "100", "-W", "1", lab.addresses[2] ?? ""]))
            .stdout,
        )?.[1],
      );
    await lab.lose(2, 50);
    expect(await answered()).toSatisfy((count: number) => count > 20 && count < 80);
    await lab.heal();
    expect(await answered()).toBe(100);
    await expect(lab.lose(2, 100)).rejects.toMatchObject({ code: "lab_percent_invalid" });
  });

  it("partitions two machines from each other and from no other machine, over power cuts, until healed", async () => {
    await lab.partition(1, 2);
    expect(
      await Promise.all([reach(lab, 1, 2), reach(lab, 2, 1), reach(lab, 1, 3), reach(lab, 3, 2)]),
    ).toEqual([false, false, true, true]);
    await lab.cut(2);
    await lab.on(2);
    expect(await reach(lab, 2, 1)).toBe(false);
    await lab.heal();
    expect(await Promise.all([reach(lab, 1, 2), reach(lab, 2, 1)])).toEqual([true, true]);
  });

  it("loads at a constant rate and finds no fault in a machine that has none", async () => {
    const url = await serve(lab, 2);
    const fromClient = await lab.load(url, { rate: 100, seconds: 1 });
    expect(fromClient).toMatchObject({ sent: 100, ok: 100, failed: 0, statuses: { 200: 100 } });
    const fromMachine = await lab.load(url, { rate: 20, seconds: 0.5, from: 3 });
    expect(fromMachine).toMatchObject({ sent: 10, failed: 0 });
  });

  it("reports each request that a paused machine answered late, and the gap", async () => {
    const url = `http://${lab.addresses[1]}:8080/`;
    const running = lab.load(url, { rate: 50, seconds: 3, lateMs: 200 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await lab.pause(2);
    await new Promise((resolve) => setTimeout(resolve, 800));
    await lab.resume(2);
    const report = await running;
    expect(report).toMatchObject({ sent: 150, failed: 0 });
    expect(report.longestGapMs).toBeGreaterThan(600);
    expect(report.late).toBeGreaterThan(10);
  });

  it("reports each request that failed while a machine was off", async () => {
    const running = lab.load(`http://${lab.addresses[1]}:8080/`, { rate: 20, seconds: 2, timeoutMs: 500 });
    await new Promise((resolve) => setTimeout(resolve, 700));
    await lab.cut(2);
    const report = await running;
    expect(report.failed).toBeGreaterThan(5);
    expect(report.failures).toHaveLength(report.failed);
    expect(report.longestGapMs).toBeGreaterThan(500);
    await lab.on(2);
  });

  it("ends a load early when asked, with a report of what ran", async () => {
    const report = await lab.load(await serve(lab, 3), {
      seconds: 600,
      until: AbortSignal.timeout(1_000),
    });
    expect(report.seconds).toBeLessThan(5);
    expect(report.sent).toBeGreaterThan(0);
  });

  it("shares nothing with a second lab, and goes without a trace", async () => {
    const other = await openLab({ machines: 1, sshMesh: false });
    try {
      await expect(other.sh(1, ["ping", "-c", "1", "-W", "1", lab.addresses[1] ?? ""])).rejects.toMatchObject(
        { exitCode: 1 },
      );
      await expect(other.sh(1, ["test", "-e", "/root/.ssh/id_ed25519"])).rejects.toMatchObject({
        exitCode: 1,
      });
      expect((await (await attachLab(other.name)).info()).machines[0]?.init).toBeGreaterThan(1);
      await expect(openLab({ machines: 1, name: other.name })).rejects.toMatchObject({ code: "lab_exists" });
    } finally {
      await other.down();
    }
    expect(await leftovers(other.name)).toEqual([]);
    expect(await reach(lab, 1, 2)).toBe(true);
    await other.down();
  });

  it("leaves nothing behind, with machines cut, paused, partitioned and busy", async () => {
    await lab.cut(3);
    await lab.pause(2);
    await lab.partition(1, 2);
    const load = expect(lab.load(`http://${lab.addresses[0]}/`, { seconds: 600 })).rejects.toMatchObject({
      signal: "SIGKILL",
    });
    await waitFor("the load to run", async () => (await processesIn(`${labCgroup(lab.name)}/client`))[0], {
      timeoutMs: 10_000,
    });
    await lab.down();
    await load;
    expect(await leftovers(lab.name)).toEqual([]);
  });
});

it("the README's example runs", async () => {
  await import("../examples/power-cut.ts");
});
