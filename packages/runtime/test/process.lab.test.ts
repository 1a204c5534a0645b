import { once } from "node:events";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, spawnStream, waitFor } from "@ployz/exec";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openProcessRuntime, type Runtime } from "../src/index.ts";
import { kill } from "../src/kill.ts";
import { type Backend, runtimeContract } from "./contract.ts";
import { collect, type Machine, makeMachine, traces, writeFolder } from "./machine.ts";

const backend: Backend = {
  open: (machine, options) => openProcessRuntime({ ...processOptions(machine), ...options }),
  program: (_machine, argv) => ({ command: argv }),
  close: async () => {},
};

function processOptions(machine: Machine) {
  return {
    root: join(machine.dir, "lib/instances"),
    runDir: `/run/ployz-${machine.tag}`,
    logDir: join(machine.dir, "log"),
    cgroupParent: machine.cgroupParent,
    controlPorts: [4222, 4319],
  };
}

runtimeContract("process", backend);

describe("process: what a host process needs beyond the contract", () => {
  let machine: Machine;
  let runtime: Runtime;
  beforeEach(async () => {
    machine = await makeMachine();
    runtime = await backend.open(machine);
    await runtime.ensureNetwork(machine.network);
  });
  afterEach(async () => {
    for (const { id } of await runtime.list()) await runtime.remove(id);
    await runtime.removeNetwork(machine.network);
    await machine.remove();
  });

  test("survives kill -9 of the process that made it", async () => {
    const spec = machine.spec("orphan", { command: ["sleep", "1000"] });
    const home = fileURLToPath(new URL("..", import.meta.url));
    await run("pnpm", ["exec", "tsup", "--config", "test/creator.tsup.config.ts"], { cwd: home });
    const argv = [processOptions(machine), spec].map((value) => JSON.stringify(value));
    const creator = spawnStream(process.execPath, [
      join(home, "node_modules/.cache/creator/creator.js"),
      ...argv,
    ]);
    const [pid] = (await once(creator.stdout, "data")) as [Buffer];
    creator.kill("SIGKILL");
    await creator.done.catch(() => {});
    expect(await runtime.adopt()).toEqual({ adopted: ["orphan"], dead: [] });
    expect(await runtime.start("orphan")).toMatchObject({ state: "running", pid: Number(pid) });
    expect(await runtime.exec("orphan", ["id", "-un"])).toMatchObject({ stdout: "nobody\n" });
  });

  test("remove leaves nothing", async () => {
    const before = await traces(machine.cgroupParent);
    const disk = await listTree(machine.dir);
    for (const id of ["busy", "looping", "done", "made"]) {
      const command = {
        busy: ["sh", "-c", "sleep 500 & sleep 600"],
        looping: ["false"],
        done: ["true"],
        made: ["true"],
      }[id];
      await runtime.create(
        machine.spec(id, { command: command ?? [], restart: id === "done" ? "no" : "always" }),
      );
      if (id !== "made") await runtime.start(id);
    }
    expect((await traces(machine.cgroupParent)).netns).toHaveLength(3);
    for (const id of ["busy", "looping", "done", "made"]) await runtime.remove(id);
    expect(await traces(machine.cgroupParent)).toEqual(before);
    expect(await listTree(machine.dir)).toEqual(
      [...disk, ...["log"].filter((name) => !disk.includes(name))].sort(),
    );
  });

  test("comes back from its records after a power cut", async () => {
    await runtime.create(machine.spec("back", { command: ["sleep", "1000"] }));
    await runtime.create(machine.spec("stopped", { command: ["sleep", "1000"] }));
    const { pid } = await runtime.start("back");
    await runtime.start("stopped");
    await runtime.stop("stopped");
    // Everything that a power cut takes: processes, the bridge, /run. The name of the namespace may stay behind as a file.
    const { runDir } = processOptions(machine);
    const { stdout } = await run("ip", ["netns", "list"]);
    const argvOf = (name: string) => readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    for (const name of await readdir("/proc")) {
      if (/^\d+$/.test(name) && (await argvOf(name)).includes(runDir)) process.kill(Number(name), "SIGKILL");
    }
    for (const line of stdout.split("\n").filter((text) => text !== "")) {
      const netns = line.split(" ")[0] ?? "";
      for (const inside of (await run("ip", ["netns", "pids", netns])).stdout.split("\n")) {
        if (inside !== "") kill(Number(inside)); // the first takes the others along
      }
      await run("ip", ["netns", "delete", netns]);
      await writeFile(`/run/netns/${netns}`, "");
    }
    await run("ip", ["link", "delete", "dev", machine.network.bridge]);
    await rm(runDir, { recursive: true });

    const rebooted = await backend.open(machine);
    expect(await rebooted.adopt()).toEqual({ adopted: [], dead: ["back"] });
    await rebooted.ensureNetwork(machine.network);
    const started = await rebooted.start("back");
    expect(started).toMatchObject({ state: "running", restarts: 0 });
    expect(started.pid).not.toBe(pid);
    expect((await rebooted.inspect("stopped")).state).toBe("exited");
  });

  test("a workload, even as root, sees no keys, writes no file of the machine and gains nothing", async () => {
    await mkdir("/run/ployz-secret", { recursive: true });
    await writeFile("/run/ployz-secret/socket", "x");
    const bundle = await machine.folder("bundle");
    await writeFolder(bundle, { "hello.txt": "hello" });
    await runtime.create(machine.spec("root", { command: ["sleep", "1000"], bundle, user: "root" }));
    await runtime.start("root");
    const inside = async (script: string) => (await runtime.exec("root", ["sh", "-c", script])).stdout.trim();
    expect(await inside("id -u; pwd; cat hello.txt")).toBe("0\n/app\nhello");
    expect(
      await inside(
        `ls ${machine.dir} ${machine.dir}/lib /var/lib/ployz /run/ployz-secret /work /home /root 2>/dev/null`,
      ),
    ).toBe("/home:\n\n/root:");
    expect(await inside("cat /etc/shadow; ls /etc/ssh")).toBe("");
    for (const path of [
      "/usr/x",
      "/etc/x",
      "/app/x",
      "/x",
      "/proc/sys/kernel/core_pattern",
      "/proc/sysrq-trigger",
    ]) {
      expect(await inside(`(echo x > ${path}) 2>/dev/null && echo written`)).toBe("");
    }
    expect(await inside("touch /tmp/x /run/x /dev/shm/x && echo ok")).toBe("ok");
    expect(await inside("ls /proc | grep -c '^[0-9]'")).toMatch(/^[1-9]$/);
    expect(
      await inside("mount -t tmpfs x /mnt || mount -o remount,rw / || mknod /tmp/d b 8 0 || echo refused"),
    ).toBe("refused");
    expect(await inside("grep -E 'NoNewPrivs|CapBnd' /proc/self/status")).toMatch(/NoNewPrivs:\s*1/);
    expect(await inside("ls /.old")).toBe("");
    await rm("/run/ployz-secret", { recursive: true });
  });

  test("a link in a volume leads nowhere outside of the instance", async () => {
    const canary = await machine.folder("canary");
    const wal = await machine.folder("wal");
    await writeFolder(wal, { "ld.so.preload": "/data/evil.so\n" });
    const hostView = async () => {
      const points = (await readFile("/proc/self/mountinfo", "utf8"))
        .split("\n")
        .map((line) => line.split(" ")[4] ?? "");
      const folders = ["/", "/etc", "/dev", "/usr/local"].map((path) => readdir(path));
      return [points.filter((point) => !point.startsWith("/run/netns")), ...(await Promise.all(folders))];
    };
    const host = await hostView();
    for (const [index, link] of [
      ...["../etc", "../../../../../../../../etc", "/etc", "/proc/1/root/etc", "/proc/self/cwd", canary],
      ...["../../../../../../../..", "/usr/local", "/dev", `/proc/self/root${canary}`],
    ].entries()) {
      const id = `link-${index}`;
      const data = await machine.folder(id);
      await symlink(link, join(data, "wal"));
      await symlink("/", join(data, "up"));
      const targets = ["/data/wal", `/data/up${canary}`, "/data/up/etc/below"];
      await runtime.create(
        machine.spec(id, {
          command: ["sh", "-c", "id -u; touch /data/wal/pwned; touch /data/mine; exec sleep 1000"],
          user: "1000:1000",
          mounts: [{ source: data, target: "/data" }, ...targets.map((target) => ({ source: wal, target }))],
          restart: "no",
        }),
      );
      const { state } = await runtime.start(id);
      // Where runc finds no place for it inside, the instance does not start.
      if (state === "running") expect((await runtime.exec(id, ["id", "-u"])).stdout).toBe("1000\n");
      await runtime.remove(id);
    }
    expect(await readdir(canary)).toEqual([]);
    expect(await readFile(join(wal, "ld.so.preload"), "utf8")).toBe("/data/evil.so\n");
    expect(await hostView()).toEqual(host);
  });

  test("a volume's links lead nowhere for a later life, a job, an executed program, a copied volume or an adopted instance", async () => {
    const canary = await machine.folder("canary");
    const data = await machine.folder("data");
    const wal = await machine.folder("wal");
    const mounts = [
      { source: data, target: "/data" },
      { source: wal, target: "/data/wal" },
    ];
    const links = `rm -rf /data/wal /data/up; ln -s ${canary} /data/up; ln -s ../${canary} /data/wal; ln -s /proc/1/root${canary} /data/init`;
    const write = "for at in up wal init up/../..; do touch /data/$at/pwned; done 2>/dev/null; echo tried";
    const attack = { user: "0", command: ["sh", "-c", `${links}; ${write}; exec sleep 1000`] };

    // The first life makes the links; later lives mount over them.
    await runtime.create(machine.spec("first", { ...attack, mounts: [{ source: data, target: "/data" }] }));
    await runtime.start("first");
    await waitFor(
      "the first life's links",
      async () => (await collect(runtime.logs("first"))).some(({ line }) => line === "tried") || undefined,
      { timeoutMs: 10_000 },
    );
    await runtime.remove("first");
    for (const restart of ["always", "no"] as const) {
      const id = `later-${restart}`;
      await runtime.create(machine.spec(id, { ...attack, mounts, restart }));
      const { state } = await runtime.start(id).catch(() => ({ state: "exited" }));
      if (state === "running") {
        const inside = await runtime.exec(id, ["sh", "-c", `${links}; ${write}`]);
        expect(inside.stdout).toBe("tried\n");
      }
      const rebooted = await backend.open(machine);
      await rebooted.adopt();
      await rebooted.stop(id).catch(() => {});
      await rebooted.start(id).catch(() => {});
      await rebooted.remove(id);
    }
    // A branch or a restored volume is the same files at another place.
    const branch = join(machine.dir, "branch");
    await run("cp", ["-a", data, branch]);
    const copied = [
      { source: branch, target: "/data" },
      { source: wal, target: "/data/up" },
    ];
    await runtime.create(machine.spec("branch", { ...attack, mounts: copied }));
    await runtime.start("branch").catch(() => {});
    await runtime.remove("branch");

    expect(await readdir(canary)).toEqual([]);
    expect((await readdir(data)).sort()).toContain("up"); // the links were made
  });

  test("a volume's folder that becomes a link while it is mounted leads nowhere", async () => {
    const canary = await machine.folder("canary");
    const data = await machine.folder("data");
    const wal = await machine.folder("wal");
    await writeFolder(wal, { mark: "of the volume" });
    const wrote = "echo round >>/data/rounds";
    const flip = `while :; do ln -s ${canary} /data/wal; rm /data/wal; mkdir /data/wal; ${wrote}; rmdir /data/wal; done 2>/dev/null`;
    const own = { source: data, target: "/data" };
    await runtime.create(machine.spec("racer", { command: ["sh", "-c", flip], user: "0", mounts: [own] }));
    await runtime.start("racer");
    const rounds = async () => (await readFile(join(data, "rounds"), "utf8").catch(() => "")).length;
    await waitFor("the first round", async () => (await rounds()) > 0 || undefined, { timeoutMs: 10_000 });
    const before = await rounds();
    for (let n = 0; n < 12; n++) {
      const command = ["sh", "-c", "touch /data/wal/pwned; exec sleep 1000"];
      const mounts = [own, { source: wal, target: "/data/wal" }];
      await runtime.create(machine.spec(`victim-${n}`, { command, user: "0", mounts, restart: "no" }));
      // Where runc finds a link, or no folder any more, the instance does not start.
      await runtime.start(`victim-${n}`).catch(() => {});
      await runtime.remove(`victim-${n}`);
    }
    expect(await rounds()).toBeGreaterThan(before);
    expect(await readdir(canary)).toEqual([]);
  });

  test("the least memory of a manifest starts a program with the largest environment", async () => {
    const env = Object.fromEntries(
      Array.from({ length: 31 }, (_, index) => [`V${index}`, "x".repeat(32 * 1024)]),
    );
    const resources = { memoryBytes: 13 * 1024 * 1024 };
    const command = ["sh", "-c", "echo began; exec sleep 1000"];
    await runtime.create(machine.spec("small", { command, env, resources }));
    await runtime.start("small");
    // A start that ends out of memory resolves as well.
    await waitFor(
      "its first line",
      async () => (await collect(runtime.logs("small"))).some(({ line }) => line === "began") || undefined,
      { timeoutMs: 10_000, intervalMs: 50 },
    );
    expect(await runtime.inspect("small")).toMatchObject({ state: "running" });
  });

  test("even root cannot reach what limits it, in any hierarchy", async () => {
    await runtime.create(
      machine.spec("limited", {
        command: ["sleep", "1000"],
        user: "root",
        resources: { memoryBytes: 64 * 1024 * 1024, cpus: 0.5, pids: 100 },
      }),
    );
    const { pid } = await runtime.start("limited");
    const groups = (await readFile(`/proc/${pid}/cgroup`, "utf8")).trim().split("\n");
    const own = new RegExp(`:/${machine.cgroupParent}/[0-9a-f]{12}/inside$`);
    for (const line of groups) expect(line).toMatch(own);
    const inside = async (script: string) =>
      (await runtime.exec("limited", ["sh", "-c", `(${script}) 2>/dev/null`])).stdout.trim();
    for (const line of (await inside("cat /proc/self/cgroup")).split("\n")) expect(line).toMatch(/:\/$/);
    expect(
      await inside(
        "unshare -UCm true || unshare -Cm true || mkdir /tmp/c; mount -t cgroup2 x /tmp/c || mount -t cgroup -o memory x /tmp/c || echo refused",
      ),
    ).toBe("refused");
    expect(await inside("ls -A /sys/fs/cgroup; ls /proc/self/fd | wc -l")).toMatch(/^[0-4]$/);
  });

  test("instances without files are not one another's user", async () => {
    const uids: string[] = [];
    for (const id of ["one", "two"]) {
      await runtime.create(machine.spec(id, { command: ["sleep", "1000"] }));
      await runtime.start(id);
      uids.push((await runtime.exec(id, ["sh", "-c", "id -u; id -un; touch /tmp/mine"])).stdout);
    }
    expect(uids[0]).toMatch(/^1[89]\d{8}\nnobody\n$/);
    expect(uids[1]).not.toBe(uids[0]);
  });

  test("a program that cannot run ends with a code and says why", async () => {
    const bundle = await machine.folder("bundle");
    await writeFile(join(bundle, "plain"), "no program", { mode: 0o644 });
    for (const [program, exitCode, why] of [
      ["/nope", 127, "No such file or directory"],
      ["/app/plain", 126, "Permission denied"],
      ["/bin/false", 1, undefined],
    ] as const) {
      await runtime.create(machine.spec("fails", { command: [program], bundle, restart: "no" }));
      await runtime.start("fails");
      expect(await runtime.wait("fails", AbortSignal.timeout(10_000))).toEqual({ exitCode });
      if (why !== undefined)
        expect((await collect(runtime.logs("fails"))).map(({ line }) => line).join()).toContain(why);
      await runtime.remove("fails");
    }
  });

  test("control ports and a forged source address are refused, other ports are not", async () => {
    const { gateway } = machine.network;
    const listening = [4222, 8000].map((port) =>
      createServer((socket) => socket.end("open")).listen(port, gateway),
    );
    await Promise.all(listening.map((server) => once(server, "listening")));
    const spec = machine.spec("caller", { command: ["sleep", "1000"] });
    await runtime.create(spec);
    await runtime.start("caller");
    const dial = async (port: number) =>
      (await runtime.exec("caller", ["busybox", "nc", "-w", "2", gateway, String(port)])).stdout;
    expect(await dial(8000)).toBe("open");
    expect(await dial(4222)).toBe("");
    // From another part of the overlay, as if through the tunnel: a machine may, a workload may not.
    const peer = machine.network.subnet.replace(/(\d+)\.0\/24$/, (_, n: string) => `${Number(n) + 100}`);
    await run("ip", ["netns", "add", "peer"]);
    await run("ip", ["-batch", "-"], {
      input: `link add name wg${machine.tag} type veth peer name eth0 netns peer\naddress add ${peer}.254/24 dev wg${machine.tag}\nlink set dev wg${machine.tag} up\n`,
    });
    await run("ip", ["-n", "peer", "-batch", "-"], {
      input: `address add ${peer}.1/24 dev eth0\naddress add ${peer}.9/24 dev eth0\nlink set dev eth0 up\nroute add default via ${peer}.254\n`,
    });
    const dialFrom = async (netns: string, source: string, port: number) =>
      (
        await run(
          "nsenter",
          [
            `--net=/run/netns/${netns}`,
            "socat",
            "-u",
            `TCP:${gateway}:${port},bind=${source},connect-timeout=1`,
            "-",
          ],
          { okExitCodes: [0, 1] },
        )
      ).stdout;
    expect(await dialFrom("peer", `${peer}.1`, 4222)).toBe("open");
    expect(await dialFrom("peer", `${peer}.9`, 4222)).toBe("");
    expect(await dialFrom("peer", `${peer}.9`, 8000)).toBe("open");
    // An address outside the subnet is not believed when it comes from the bridge, even one that could be answered.
    const netns =
      (await run("ip", ["netns", "list"])).stdout.split("\n").find((line) => line.startsWith("pz-")) ?? "";
    const name = netns.split(" ")[0] ?? "";
    await run("ip", ["-n", name, "address", "add", "10.99.0.7/32", "dev", "eth0"]);
    await run("ip", ["route", "add", "10.99.0.7/32", "dev", machine.network.bridge]);
    expect(await dialFrom(name, spec.address, 8000)).toBe("open");
    expect(await dialFrom(name, "10.99.0.7", 8000)).toBe("");
    await run("ip", ["netns", "delete", "peer"]);
    for (const server of listening) server.close();
  });

  test("logs rotate, and a reader follows through it without losing a line", async () => {
    const small = await openProcessRuntime({
      ...processOptions(machine),
      log: { maxBytes: 4096, maxFiles: 60 },
    });
    const script =
      "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line-$i; [ $((i % 200)) = 0 ] && sleep 0.05; done; sleep 1000";
    await small.create(machine.spec("chatty", { command: ["sh", "-c", script] }));
    await small.start("chatty");
    const ending = new AbortController();
    const seen: string[] = [];
    for await (const { line } of small.logs("chatty", { follow: true, signal: ending.signal })) {
      seen.push(line);
      if (line === "line-3000") ending.abort();
    }
    expect(seen).toEqual(Array.from({ length: 3000 }, (_, i) => `line-${i + 1}`));
    const files = await readdir(join(processOptions(machine).logDir, "chatty/stdout"));
    expect(files.filter((name) => name.startsWith("@")).length).toBeGreaterThan(3);
  });

  test("a file may be mounted where the machine has none, and a missing source is refused before anything is created", async () => {
    const source = await machine.folder("data");
    await writeFolder(source, { "app.conf": "colour = blue" });
    const mounts = [
      { source: join(source, "app.conf"), target: "/etc/an-app/app.conf", readOnly: true },
      { source, target: "/var/lib/postgresql/16/data" },
      { source, target: "/run/shared", readOnly: true },
    ];
    await runtime.create(machine.spec("mounted", { command: ["sleep", "1000"], mounts }));
    await runtime.start("mounted");
    const read = [
      "sh",
      "-c",
      "cat /etc/an-app/app.conf; echo x > /var/lib/postgresql/16/data/new; ls /run/shared; ls /etc/passwd",
    ];
    expect((await runtime.exec("mounted", read)).stdout).toBe(
      "colour = bluexapp.conf\nnew\n/etc/passwd\n".replace("x", ""),
    );
    const gone = machine.spec("gone", { command: ["true"], mounts: [{ source: "/no/such", target: "/x" }] });
    await expect(runtime.create(gone)).rejects.toMatchObject({ code: "mount_source_missing" });
    await expect(
      runtime.create(machine.spec("who", { command: ["true"], user: "no-such-user" })),
    ).rejects.toMatchObject({
      code: "user_unknown",
    });
    expect((await runtime.list()).map(({ id }) => id)).toEqual(["mounted"]);
  });
});

async function listTree(dir: string): Promise<string[]> {
  return (await readdir(dir, { recursive: true })).sort();
}
