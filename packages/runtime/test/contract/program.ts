import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Bench, code, deadline } from "./bench.ts";

/** What a program gets, and what it cannot exceed. */
export function programCases(bench: Bench): void {
  test("arguments and environment arrive byte for byte", async () => {
    const { backend, machine, runtime } = bench;
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
    const { machine, runtime, sh } = bench;
    await runtime.create(machine.spec("forks", { ...sh("sleep 1000"), user: "0", resources: { pids: 30 } }));
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

  test("a machine that refuses root starts nothing as root: not by number, not by name, not by an image's default", async () => {
    const { backend, machine, sh } = bench;
    const strict = await backend.open(machine, { refuseRoot: true });
    await strict.ensureNetwork(machine.network);
    const started = async (user: string | undefined) => {
      const id = `as-${user?.replace(":", "-") ?? "default"}`;
      const { user: _, ...program } = sh("sleep 1000");
      await strict.create(machine.spec(id, { ...program, ...(user !== undefined && { user }) }));
      const { state } = await strict.start(id);
      return state;
    };
    for (const user of ["0", "0:1000", "00", "root"])
      await expect(started(user), user).rejects.toSatisfy((e) => code(e) === "root_refused");
    expect(await started("1000")).toBe("running");
    if (strict.kind === "process") expect(await started(undefined)).toBe("running");
    else await expect(started(undefined)).rejects.toSatisfy((e) => code(e) === "root_refused");
    for (const { id } of await strict.list()) await strict.remove(id);
  });

  test("memory above the limit is refused by the kernel", async ({ skip }) => {
    const { machine, runtime, sh } = bench;
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
}
