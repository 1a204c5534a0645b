import { waitFor } from "@ployz/exec";
import { expect, test } from "vitest";
import { collect } from "../machine.ts";
import { type Bench, code, deadline } from "./bench.ts";

/** How instances are made, run, end and are found again. */
export function lifecycleCases(bench: Bench): void {
  test("facts describe this machine", async () => {
    const { runtime } = bench;
    const facts = await runtime.facts();
    expect(facts.kind).toBe(runtime.kind);
    expect(facts.cpus).toBeGreaterThan(0);
    expect(facts.memoryFreeBytes).toBeLessThanOrEqual(facts.memoryBytes);
    expect(facts.diskFreeBytes).toBeGreaterThan(0);
  });

  test("create, start, stop and remove can each be repeated", async () => {
    const { machine, runtime, sh } = bench;
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
    const { machine, runtime, sh } = bench;
    const spec = machine.spec("taken", sh("sleep 1000"));
    await runtime.create(spec);
    await expect(runtime.create({ ...spec, env: { A: "b" } })).rejects.toSatisfy(
      (e) => code(e) === "instance_conflict",
    );
    for (const id of ["../x", "-x", "a/b", "", "x\0y", "A", "a".repeat(161)]) {
      await expect(runtime.create({ ...spec, id })).rejects.toSatisfy((e) => code(e) === "instance_invalid");
    }
    await expect(runtime.start("nobody-home")).rejects.toSatisfy((e) => code(e) === "instance_missing");
    await runtime.remove("taken");
  });

  test("a job runs once and its exit code and log are kept", async () => {
    const { machine, runtime, sh } = bench;
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

  test("stop resolves when the program has ended, not when the grace is over", async () => {
    const { machine, runtime, sh, until } = bench;
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
    const { machine, runtime, sh, until } = bench;
    await runtime.create(machine.spec("deaf", sh("trap '' TERM; echo ready; while :; do sleep 0.05; done")));
    await runtime.start("deaf");
    await until("deaf", "ready");
    const before = performance.now();
    await runtime.stop("deaf", { graceMs: 1_000 });
    expect(performance.now() - before).toBeGreaterThan(900);
    expect(await runtime.inspect("deaf")).toMatchObject({ state: "exited", exitCode: 137 });
    await runtime.remove("deaf");
  });

  test("a crash loop restarts, but slowly, and can be stopped in the middle", async () => {
    const { machine, runtime, sh } = bench;
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

  test("list filters by labels; a restarted caller finds what runs and what died", async () => {
    const { backend, machine, runtime, sh } = bench;
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
}
