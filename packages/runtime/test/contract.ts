import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { PloyzError } from "@ployz/errors";
import { run, waitFor } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { InstanceSpec, LogLine, Runtime } from "../src/index.ts";
import { collect, type Machine, makeMachine } from "./machine.ts";

export interface Backend {
  /** Makes the machine ready; a second call is a restart of the caller over the same machine. */
  open(machine: Machine): Promise<Runtime>;
  /** What makes a spec run `argv` on this backend with sh and busybox-like tools in reach. */
  program(machine: Machine, argv: readonly string[]): Partial<InstanceSpec>;
  close(machine: Machine): Promise<void>;
}

const bytes = (stream: Readable | undefined) => buffer(stream ?? Readable.from([]));

/** The cases that every backend has to pass. */
export function runtimeContract(name: string, backend: Backend): void {
  describe(`${name}: contract`, () => {
    let machine: Machine;
    let runtime: Runtime;
    const sh = (script: string) => backend.program(machine, ["sh", "-c", script]);
    const code = (error: unknown) => (error as PloyzError).code;
    const deadline = () => AbortSignal.timeout(20_000);
    const until = (id: string, text: string) =>
      waitFor(
        `"${text}" in the log of ${id}`,
        async () =>
          (await collect(runtime.logs(id))).some(({ line }) => line.includes(text)) ? true : undefined,
        { timeoutMs: 10_000 },
      );

    beforeAll(async () => {
      machine = await makeMachine();
      runtime = await backend.open(machine);
      await runtime.ensureNetwork(machine.network);
    });
    afterAll(async () => {
      if (runtime !== undefined) {
        for (const { id } of await runtime.list()) await runtime.remove(id);
        await runtime.removeNetwork(machine.network);
      }
      await backend.close(machine);
      await machine.remove();
    });

    test("a network that another program changed has faults until it is ensured again", async () => {
      const { network } = machine;
      expect(await runtime.networkFaults(network)).toEqual([]);
      await run("ip", ["address", "flush", "dev", network.bridge]);
      await run("nft", ["delete", "table", "inet", `ployz_${network.bridge}`]);
      expect(await runtime.networkFaults(network)).toHaveLength(2);
      await runtime.ensureNetwork(network);
      expect(await runtime.networkFaults(network)).toEqual([]);
    });

    test("facts describe this machine", async () => {
      const facts = await runtime.facts();
      expect(facts.kind).toBe(runtime.kind);
      expect(facts.cpus).toBeGreaterThan(0);
      expect(facts.memoryFreeBytes).toBeLessThanOrEqual(facts.memoryBytes);
      expect(facts.diskFreeBytes).toBeGreaterThan(0);
    });

    test("create, start, stop and remove can each be repeated", async () => {
      const spec = machine.spec("repeat", sh("sleep 1000"));
      expect(await runtime.inspect("repeat")).toMatchObject({ id: "repeat", state: "absent" });
      expect(await runtime.create(spec)).toMatchObject({ state: "created", address: spec.address });
      expect((await runtime.create({ ...spec, labels: { other: "operation" } })).state).toBe("created");
      const first = await runtime.start("repeat");
      expect(first.state).toBe("running");
      const again = await runtime.start("repeat");
      expect(again.pid).toBe(first.pid);
      expect(Math.abs(Date.parse(first.startedAt ?? "") - Date.now())).toBeLessThan(5_000);
      await runtime.stop("repeat");
      await runtime.stop("repeat");
      expect((await runtime.inspect("repeat")).state).toBe("exited");
      expect((await runtime.start("repeat")).state).toBe("running");
      await runtime.remove("repeat");
      await runtime.remove("repeat");
      expect((await runtime.inspect("repeat")).state).toBe("absent");
    });

    test("an id cannot be reused for something else, and a bad one reaches nothing", async () => {
      const spec = machine.spec("taken", sh("sleep 1000"));
      await runtime.create(spec);
      await expect(runtime.create({ ...spec, env: { A: "b" } })).rejects.toSatisfy(
        (e) => code(e) === "instance_conflict",
      );
      for (const id of ["../x", "-x", "a/b", "", "x\0y", "A", "a".repeat(161)]) {
        await expect(runtime.create({ ...spec, id })).rejects.toSatisfy(
          (e) => code(e) === "instance_invalid",
        );
      }
      await expect(runtime.start("nobody-home")).rejects.toSatisfy((e) => code(e) === "instance_missing");
      await runtime.remove("taken");
    });

    test("arguments and environment arrive byte for byte", async () => {
      const odd = [
        "",
        "$HOME",
        "a b",
        "'\"`$(id)",
        "{",
        "}",
        "\\n\\",
        "line\nbreak\ttab",
        "ünï©ode 🚢",
        "-n",
        "*",
        "$pid",
      ];
      const env = {
        PLAIN: "x",
        EMPTY: "",
        ODD: odd.join("|"),
        LINES: "\n a\n\n",
        LOWER_case9: "1",
        LD_PRELOAD: "",
        LONG: "x".repeat(6_000),
      };
      // env -0 shows the environment; printf repeats the arguments
      const script = 'printf "%s\\0" "$@" >/out/args; env -0 >/out/env';
      const out = await machine.folder("bytes");
      const argv = ["sh", "-c", script, "sh", ...odd];
      await runtime.create(
        machine.spec("bytes", {
          ...backend.program(machine, argv),
          env,
          restart: "no",
          mounts: [{ source: out, target: "/out" }],
        }),
      );
      await runtime.start("bytes");
      expect(await runtime.wait("bytes", deadline())).toEqual({ exitCode: 0 });
      expect((await readFile(join(out, "args"), "utf8")).split("\0").slice(0, -1)).toEqual(odd);
      const seen = (await readFile(join(out, "env"), "utf8")).split("\0");
      for (const [key, value] of Object.entries(env)) expect(seen).toContain(`${key}=${value}`);
      await runtime.remove("bytes");
    });

    test("even root has no raw sockets and device nodes, gains nothing, and is limited in its processes", async () => {
      await runtime.create(
        machine.spec("forks", { ...sh("sleep 1000"), user: "0", resources: { pids: 30 } }),
      );
      await runtime.start("forks");
      const { stdout } = await runtime.exec("forks", ["cat", "/proc/self/status"]);
      const has = BigInt(`0x${/^CapBnd:\s*(\w+)$/m.exec(stdout)?.[1]}`);
      // CAP_CHOWN; CAP_NET_RAW, CAP_SYS_ADMIN, CAP_MKNOD, CAP_AUDIT_WRITE (capability.h)
      expect([0n, 13n, 21n, 27n, 29n].map((bit) => (has >> bit) & 1n)).toEqual([1n, 0n, 0n, 0n, 0n]);
      expect(stdout).toMatch(/^NoNewPrivs:\s*1$/m);
      const forks = "i=0; while [ $i -lt 60 ]; do i=$((i+1)); sleep 2 & done; echo all";
      expect((await runtime.exec("forks", ["sh", "-c", forks])).stdout).toBe("");
      await runtime.remove("forks");
    });

    test("a job runs once and its exit code and log are kept", async () => {
      await runtime.create(
        machine.spec("job", { ...sh("echo working; echo failing >&2; exit 7"), restart: "no" }),
      );
      await runtime.start("job");
      expect(await runtime.wait("job", deadline())).toEqual({ exitCode: 7 });
      expect(await runtime.inspect("job")).toMatchObject({ state: "exited", exitCode: 7 });
      await runtime.start("job");
      const lines = await collect(runtime.logs("job"));
      expect(lines.map(({ stream, line }) => `${stream}: ${line}`).sort()).toEqual([
        "stderr: failing",
        "stdout: working",
      ]);
      expect(Math.abs(Date.parse(lines[0]?.time ?? "") - Date.now())).toBeLessThan(10_000);
      await runtime.remove("job");
    });

    test("last words without a newline are a line of their own life, and an endless line is split", async () => {
      await runtime.create(machine.spec("words", sh("printf 'FATAL x' >&2; printf out; exit 3")));
      await runtime.start("words");
      const lines = await waitFor(
        "two lives",
        async () => {
          const seen = await collect(runtime.logs("words"));
          return seen.length >= 4 ? seen : undefined;
        },
        { timeoutMs: 10_000 },
      );
      expect(new Set(lines.map(({ stream, line }) => `${stream}: ${line}`))).toEqual(
        new Set(["stderr: FATAL x", "stdout: out"]),
      );
      await runtime.remove("words");
      const flood = "head -c 3000000 /dev/zero | tr '\\0' y; echo; echo last";
      await runtime.create(machine.spec("flood", { ...sh(flood), restart: "no" }));
      await runtime.start("flood");
      await runtime.wait("flood", deadline());
      const tail = await collect(runtime.logs("flood", { tail: 2 }));
      expect(tail.at(-1)?.line).toBe("last");
      expect(tail[0]?.line.length).toBeLessThan(70_000);
      await runtime.remove("flood");
    });

    test("stop resolves when the program has ended, not when the grace is over", async () => {
      await runtime.create(
        machine.spec("polite", sh("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done")),
      );
      await runtime.start("polite");
      await until("polite", "ready");
      const before = performance.now();
      await runtime.stop("polite", { graceMs: 10_000 });
      expect(performance.now() - before).toBeLessThan(3_000);
      expect(await runtime.inspect("polite")).toMatchObject({ state: "exited", exitCode: 0 });
      expect((await collect(runtime.logs("polite"))).at(-1)?.line).toBe("bye");
      await runtime.remove("polite");
    });

    test("stop kills what ignores the signal, after the grace", async () => {
      await runtime.create(
        machine.spec("deaf", sh("trap '' TERM; echo ready; while :; do sleep 0.05; done")),
      );
      await runtime.start("deaf");
      await until("deaf", "ready");
      const before = performance.now();
      await runtime.stop("deaf", { graceMs: 1_000 });
      expect(performance.now() - before).toBeGreaterThan(900);
      expect(await runtime.inspect("deaf")).toMatchObject({ state: "exited", exitCode: 137 });
      await runtime.remove("deaf");
    });

    test("a crash loop restarts, but slowly, and can be stopped in the middle", async () => {
      await runtime.create(machine.spec("crash", sh("echo life; exit 3")));
      await runtime.start("crash");
      await waitFor(
        "two restarts",
        async () => ((await runtime.inspect("crash")).restarts ?? 0) >= 2 || undefined,
        {
          timeoutMs: 10_000,
        },
      );
      const before = (await runtime.inspect("crash")).restarts ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(((await runtime.inspect("crash")).restarts ?? 0) - before).toBeLessThanOrEqual(4);
      const asked = performance.now();
      await runtime.stop("crash");
      expect(performance.now() - asked).toBeLessThan(3_000);
      expect((await runtime.inspect("crash")).state).toBe("exited");
      await runtime.remove("crash");
    });

    test("instances reach each other by address, with the hostname and resolver they were given", async () => {
      const server = machine.spec("server", sh("while :; do echo hello | nc -l -p 8080; done"));
      const client = machine.spec("client", sh("sleep 1000"));
      for (const spec of [server, client]) {
        await runtime.create({
          ...spec,
          ...(runtime.kind === "process" && { command: busybox(spec.command) }),
        });
        await runtime.start(spec.id);
      }
      const bb = runtime.kind === "process" ? ["/usr/bin/busybox"] : [];
      const answer = await waitFor(
        "the server's answer",
        async () => {
          const reply = await runtime.exec("client", [...bb, "nc", "-w", "2", server.address, "8080"], {
            timeoutMs: 5_000,
          });
          return reply.stdout === "hello\n" ? reply.stdout : undefined;
        },
        { timeoutMs: 10_000, intervalMs: 100 },
      );
      expect(answer).toBe("hello\n");
      expect(
        (await runtime.exec("client", ["sh", "-c", "hostname; cat /etc/resolv.conf /etc/hosts"])).stdout,
      ).toMatch(/^client\n(.|\n)*search prod\.cluster\.local/);
      await Promise.all(["server", "client"].map((id) => runtime.remove(id)));
    });

    test("exec gives exit code, both streams and stdin, and ends at its deadline", async () => {
      await runtime.create(machine.spec("inside", { ...sh("sleep 1000"), env: { SECRET: "s3cret value" } }));
      await runtime.start("inside");
      const result = await runtime.exec("inside", ["sh", "-c", 'cat; echo "$SECRET"; echo no >&2; exit 5'], {
        input: "in\n",
      });
      expect(result).toEqual({ exitCode: 5, stdout: "in\ns3cret value\n", stderr: "no\n" });
      await expect(runtime.exec("inside", ["sleep", "60"], { timeoutMs: 300 })).rejects.toSatisfy(
        (e) => code(e) === "exec_timeout",
      );
      const { cpuNanos, memoryBytes } = await runtime.stats("inside");
      expect(cpuNanos).toBeGreaterThan(0);
      expect(memoryBytes).toBeGreaterThan(0);
      await runtime.remove("inside");
    });

    test("an attached program gets its streams, exit codes are a shell's, and killing it leaves nothing", async () => {
      await runtime.create(machine.spec("attached", { ...sh("sleep 1000"), env: { SECRET: "value" } }));
      await runtime.start("attached");
      const attach = (argv: readonly string[], terminal?: { columns: number; rows: number }) =>
        runtime.attach("attached", argv, { env: { TERM: "xterm" }, ...(terminal && { terminal }) });

      const plain = await attach(["sh", "-c", 'cat; echo "$SECRET $TERM" >&2; exit 5']);
      plain.stdin.end(Buffer.alloc(300_000, "\xff\n"));
      const [out, err] = await Promise.all([bytes(plain.stdout), bytes(plain.stderr)]);
      expect([out.equals(Buffer.alloc(300_000, "\xff\n")), err.toString()]).toEqual([true, "value xterm\n"]);
      expect(await plain.done).toEqual({ exitCode: 5 });

      for (const [argv, exitCode] of [
        [["no-such-program"], 127],
        [["/etc"], 126],
        [["sh", "-c", "kill -TERM $$"], 143],
      ] as const) {
        const short = await attach(argv);
        short.stdin.end();
        short.stdout.resume();
        short.stderr?.resume();
        expect([argv, await short.done]).toEqual([argv, { exitCode }]);
      }

      const sized = (rows: number, columns: number) =>
        `until [ "$(stty size 2>&1)" = "${rows} ${columns}" ]; do sleep 0.05; done; echo ${rows} rows;`;
      const script = `${sized(33, 101)} ${sized(20, 50)} read line; echo "$line"; exit 4`;
      const shown = await attach(["sh", "-c", script], { columns: 101, rows: 33 });
      let screen = "";
      for await (const chunk of shown.stdout) {
        const before = screen;
        screen += String(chunk);
        const appeared = (text: string) => screen.includes(text) && !before.includes(text);
        if (appeared("33 rows")) await shown.resize({ columns: 50, rows: 20 });
        if (appeared("20 rows")) shown.stdin.write("typed\n");
      }
      expect(screen).toBe("33 rows\r\n20 rows\r\ntyped\r\ntyped\r\n");
      expect(await shown.done).toEqual({ exitCode: 4 });

      const asked = await attach([
        "sh",
        "-c",
        "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.05; done",
      ]);
      for await (const chunk of asked.stdout)
        if (String(chunk).includes("ready")) await asked.signal("SIGINT");
      expect(await asked.done).toEqual({ exitCode: 7 });

      for (const terminal of [undefined, { columns: 80, rows: 24 }]) {
        const cut = await attach(["sh", "-c", "sleep 4321 & sleep 4322"], terminal);
        const asleep = async (count: number) => {
          const script = "cat /proc/[0-9]*/stat | grep -c '(sleep) [^Z]'";
          const { stdout } = await runtime.exec("attached", ["sh", "-c", script]);
          return stdout === `${count}\n` ? true : undefined;
        };
        await waitFor("both", () => asleep(3), { timeoutMs: 5_000 });
        await cut.kill();
        await waitFor("none", () => asleep(1), { timeoutMs: 5_000 });
      }
      await runtime.remove("attached");
      await expect(attach(["true"])).rejects.toSatisfy((e) => code(e) === "instance_missing");
    }, 60_000);

    test("logs can be followed, cut to a tail and to a time", async () => {
      await runtime.create(
        machine.spec(
          "talk",
          sh(
            "for i in 1 2 3 4 5; do echo line $i; done; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo more; sleep 1000",
          ),
        ),
      );
      await runtime.start("talk");
      await until("talk", "line 5");
      const tail = await collect(runtime.logs("talk", { tail: 2 }));
      expect(tail.map(({ line }) => line)).toEqual(["line 4", "line 5"]);
      const ending = new AbortController();
      const followed: LogLine[] = [];
      const following = (async () => {
        for await (const line of runtime.logs("talk", { follow: true, tail: 1, signal: ending.signal })) {
          followed.push(line);
          if (line.line === "line 5") await runtime.exec("talk", ["touch", "/tmp/go"]);
          if (line.line === "more") ending.abort();
        }
      })();
      await following;
      expect(followed.map(({ line }) => line)).toEqual(["line 5", "more"]);
      const later = await collect(runtime.logs("talk", { sinceMs: Date.parse(followed[1]?.time ?? "") - 1 }));
      expect(later.map(({ line }) => line)).toEqual(["more"]);
      await runtime.remove("talk");
    });

    test("a followed log continues over restarts, and ends when the instance is removed", async () => {
      await runtime.create(machine.spec("lives", sh("echo life; sleep 0.3; exit 1")));
      await runtime.start("lives");
      const ending = AbortSignal.timeout(20_000);
      let lives = 0;
      for await (const { line } of runtime.logs("lives", { follow: true, signal: ending }))
        if (line === "life" && ++lives === 3) await runtime.remove("lives");
      expect(ending.aborted).toBe(false);
      expect(lives).toBe(3);
    });

    test("list filters by labels; a restarted caller finds what runs and what died", async () => {
      for (const id of ["keep-a", "keep-b", "rest"]) {
        await runtime.create(
          machine.spec(id, { ...sh("sleep 1000"), labels: { namespace: "prod", slot: id } }),
        );
      }
      await runtime.start("keep-a");
      await runtime.start("keep-b");
      await runtime.start("rest");
      await runtime.stop("rest");
      expect((await runtime.list({ namespace: "prod", slot: "keep-b" })).map(({ id }) => id)).toEqual([
        "keep-b",
      ]);
      const pids = (await runtime.list({ namespace: "prod" })).map(({ pid }) => pid);
      const restarted = await backend.open(machine);
      await restarted.ensureNetwork(machine.network);
      expect(await restarted.adopt()).toEqual({ adopted: ["keep-a", "keep-b"], dead: [] });
      expect((await restarted.list({ namespace: "prod" })).map(({ pid }) => pid)).toEqual(pids);
      for (const id of ["keep-a", "keep-b", "rest"]) await runtime.remove(id);
      expect(await runtime.list({ namespace: "prod" })).toEqual([]);
    });

    test("memory above the limit is refused by the kernel", async ({ skip }) => {
      if (!(await runtime.facts()).limits) skip();
      await runtime.create(
        machine.spec("greedy", {
          ...sh("x=x; while :; do x=$x$x; done"),
          restart: "no",
          resources: { memoryBytes: 32 * 1024 * 1024, cpus: 0.9 },
        }),
      );
      await runtime.start("greedy");
      expect((await runtime.wait("greedy", deadline())).exitCode).not.toBe(0);
      expect(await runtime.inspect("greedy")).toMatchObject({ state: "exited", oomKilled: true });
      await runtime.remove("greedy");
    });
  });

  function busybox(command: readonly string[] | undefined): readonly string[] {
    return (command ?? []).map((word) => word.replaceAll("nc -l", "/usr/bin/busybox nc -l"));
  }
}
