import { waitFor } from "@ployz/exec";
import { expect, test } from "vitest";
import type { LogLine } from "../../src/index.ts";
import { collect } from "../machine.ts";
import { type Bench, deadline } from "./bench.ts";

/** What instances write. */
export function logCases(bench: Bench): void {
  test("last words without a newline are a line of their own life, and an endless line is split", async () => {
    const { machine, runtime, sh } = bench;
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

  test("logs can be followed, cut to a tail and to a time", async () => {
    const { machine, runtime, sh, until } = bench;
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
    const { machine, runtime, sh } = bench;
    await runtime.create(machine.spec("lives", sh("echo life; sleep 0.3; exit 1")));
    await runtime.start("lives");
    const ending = AbortSignal.timeout(20_000);
    let lives = 0;
    for await (const { line } of runtime.logs("lives", { follow: true, signal: ending }))
      if (line === "life" && ++lives === 3) await runtime.remove("lives");
    expect(ending.aborted).toBe(false);
    expect(lives).toBe(3);
  });
}
