import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { waitFor } from "@ployz/exec";
import { expect, test } from "vitest";
import { type Bench, code } from "./bench.ts";

const bytes = (stream: Readable | undefined) => buffer(stream ?? Readable.from([]));

/** Programs inside a running instance. */
export function execCases(bench: Bench): void {
  test("exec gives exit code, both streams and stdin, and ends at its deadline", async () => {
    const { machine, runtime, sh } = bench;
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
    const { machine, runtime, sh } = bench;
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
    for await (const chunk of asked.stdout) if (String(chunk).includes("ready")) await asked.signal("SIGINT");
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
}
