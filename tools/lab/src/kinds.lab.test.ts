import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identify, run, signalProcess, spawnDetached, waitFor } from "@ployz/exec";
import { expect, it } from "vitest";
import { type Lab, openLab } from "./lab.ts";
import { leftovers } from "./leftovers.ts";
import { launcher } from "./names.ts";
import { readSpec } from "./spec.ts";
import { down, type UpOptions } from "./up.ts";

async function withLab(options: Omit<UpOptions, "name">, use: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await openLab(options);
  try {
    await use(lab);
  } finally {
    await lab.down();
  }
  expect(await leftovers(lab.name)).toEqual([]);
}

async function withTarball(install: string, use: (tarball: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "lab-payload-"));
  try {
    await run("mkdir", [join(dir, "ployz")]);
    await writeFile(join(dir, "ployz/install.sh"), `#!/bin/sh\n${install}\n`, { mode: 0o755 });
    await run("tar", ["-C", dir, "-czf", join(dir, "payload.tar.gz"), "ployz"]);
    await use(join(dir, "payload.tar.gz"));
  } finally {
    await rm(dir, { recursive: true });
  }
}

const importImage = "tar -C / -c bin/busybox | docker import - bb >/dev/null";
const runService = "docker run -d --name svc --restart always -m 32m bb /bin/busybox sleep 1000";

it("a bare machine installs what it lacks from its own package source", { timeout: 600_000 }, () =>
  withLab({ machines: 1, bare: true }, async (lab) => {
    await expect(lab.sh(1, ["which", "haproxy", "zfs", "wg"])).rejects.toMatchObject({ exitCode: 1 });
    await lab.sh(1, ["apt-get", "update"]);
    const install = [
      "apt-get",
      "install",
      "-y",
      "haproxy",
      "zfs-fuse",
      "wireguard-go",
      "wireguard-tools",
      "s6",
    ] as const;
    await lab.sh(1, ["env", "DEBIAN_FRONTEND=noninteractive", ...install], { timeoutMs: 120_000 });
    await lab.sh(1, ["haproxy", "-v"]);
    await lab.sh(1, ["sh", "-c", "truncate -s 128M /root/p && zpool create tank /root/p"]);
  }),
);

it("a machine with Docker runs containers, which a pause and a power cut reach", { timeout: 600_000 }, () =>
  withLab({ machines: 1, docker: true }, async (lab) => {
    await lab.sh(1, ["sh", "-c", `${importImage} && ${runService}`], { timeoutMs: 60_000 });
    await lab.pause(1);
    const states = await containerStates(lab);
    await lab.resume(1);
    expect(states).toEqual(["T"]);
    await lab.cut(1);
    await lab.on(1);
    const list = await waitFor(
      "the container to be back",
      async () => (await lab.sh(1, ["docker", "ps", "-q"])).stdout || undefined,
      { timeoutMs: 20_000 },
    );
    expect(list.trim()).not.toBe("");
  }),
);

/** Seen from the host: a paused machine answers nothing itself. */
async function containerStates(lab: Lab): Promise<readonly string[]> {
  const { stdout } = await run("sh", [
    "-c",
    `for p in $(find /sys/fs/cgroup/memory/ployz-lab.${lab.name} -path '*docker/*' -name cgroup.procs | xargs cat); do awk '{ print $3 }' /proc/$p/stat; done`,
  ]);
  return stdout.trim().split("\n");
}

it(
  "a systemd machine boots systemd without a failed unit, with Docker and writable limits, and again after a cut",
  { timeout: 600_000 },
  () =>
    withLab({ machines: 2, kind: "systemd", docker: true }, async (lab) => {
      expect((await lab.sh(1, ["systemctl", "is-system-running", "--wait"])).stdout).toBe("running\n");
      await lab.sh(1, ["sh", "-c", `${importImage} && ${runService}`], { timeoutMs: 60_000 });
      await lab.sh(1, ["sh", "-c", "echo kept >/root/file; zpool status"]);
      const login = [
        "ssh",
        "-o",
        "StrictHostKeyChecking=accept-new",
        "root@m2",
        "systemctl is-active ssh",
      ] as const;
      expect((await lab.sh(1, login)).stdout).toBe("active\n");
      await lab.cut(1);
      await lab.on(1);
      expect((await lab.sh(1, ["cat", "/root/file"])).stdout).toBe("kept\n");
      expect((await lab.sh(1, ["systemctl", "is-system-running", "--wait"])).stdout).toBe("running\n");
      expect((await lab.sh(1, ["docker", "ps", "--format", "{{.Names}}"])).stdout).toBe("svc\n");
    }),
);

it("installs a payload on m1 alone", { timeout: 600_000 }, () =>
  withTarball("echo installed >/usr/local/bin/ployzctl", (payload) =>
    withLab({ machines: 2, payload }, async (lab) => {
      expect((await lab.sh(1, ["cat", "/usr/local/bin/ployzctl"])).stdout).toBe("installed\n");
      await expect(lab.sh(2, ["test", "-e", "/usr/local/bin/ployzctl"])).rejects.toMatchObject({
        exitCode: 1,
      });
    }),
  ),
);

it("installs a payload on the given number of machines, each with its own disk", { timeout: 600_000 }, () =>
  withTarball("echo installed >/usr/local/bin/ployzctl", (payload) =>
    withLab({ machines: 3, payload, payloadUpTo: 2 }, async (lab) => {
      await lab.sh(1, ["rm", "/usr/local/bin/ployzctl"]);
      expect((await lab.sh(2, ["cat", "/usr/local/bin/ployzctl"])).stdout).toBe("installed\n");
      for (const without of [1, 3])
        await expect(lab.sh(without, ["test", "-e", "/usr/local/bin/ployzctl"])).rejects.toMatchObject({
          exitCode: 1,
        });
    }),
  ),
);

it("leaves nothing when it cannot be made whole, and says why", { timeout: 600_000 }, () =>
  withTarball("echo no room for it >&2; exit 3", async (payload) => {
    const name = `f-${process.pid}`;
    await expect(openLab({ machines: 2, payload, name })).rejects.toMatchObject({
      stderr: expect.stringContaining("no room for it"),
    });
    expect(await leftovers(name)).toEqual([]);
  }),
);

it("down removes a lab whose up was killed half way", { timeout: 600_000 }, async () => {
  const name = `k-${process.pid}`;
  for (const delayMs of [0, 60, 150, 300]) {
    const starting = await spawnDetached(launcher, ["up", "3", "--name", name], { logFile: "/dev/null" });
    await waitFor("up to have begun", () => readSpec(name).catch(() => undefined), {
      timeoutMs: 60_000,
      intervalMs: 5,
    });
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await signalProcess(starting, "SIGKILL");
    await waitFor(
      "up to be dead",
      async () => ((await identify(starting.pid)) === undefined ? true : undefined),
      { timeoutMs: 5_000 },
    );
    await down(name);
    expect(await leftovers(name)).toEqual([]);
  }
});
