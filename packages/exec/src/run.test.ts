import { describe, expect, it } from "vitest";
import { ExecError, run, spawnStream } from "./index.ts";

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: unknown) => error as ExecError,
  );

describe("run", () => {
  it("passes arguments byte-exact, with no shell between", async () => {
    const nasty = ["$(id)", "; rm -rf /", "a\nb", "--", "'\""];
    const { stdout } = await run("printf", ["%s\\0", ...nasty]);
    expect(stdout.split("\0").slice(0, -1)).toEqual(nasty);
  });

  it("names the program, its exit code and the last line of stderr", async () => {
    const error = await failure(run("sh", ["-c", "echo first >&2; echo the reason >&2; exit 7"]));
    expect(error).toBeInstanceOf(ExecError);
    expect(error).toMatchObject({ code: "exec_failed", exitCode: 7, program: "sh" });
    expect(error.message).toContain("the reason");
  });

  it("accepts the exit codes that the caller calls OK", async () => {
    expect((await run("sh", ["-c", "exit 3"], { okExitCodes: [0, 3] })).exitCode).toBe(3);
  });

  it("tells a missing program from a failing one", async () => {
    expect(await failure(run("no-such-program-here", []))).toMatchObject({ code: "exec_not_found" });
  });

  it("kills at the deadline, and on abort", async () => {
    expect(await failure(run("sleep", ["30"], { timeoutMs: 50 }))).toMatchObject({ code: "exec_timeout" });
    const abort = new AbortController();
    const running = failure(run("sleep", ["30"], { signal: abort.signal }));
    abort.abort();
    expect(await running).toMatchObject({ code: "exec_aborted" });
  });

  it("keeps secrets out of errors", async () => {
    const error = await failure(
      run("sh", ["-c", "echo hunter2 >&2; exit 1", "hunter2"], { redact: ["hunter2"] }),
    );
    expect(JSON.stringify([error.message, error.args, error.stderr, error.details])).not.toContain("hunter2");
  });

  it("runs in a session of its own where asked", async () => {
    const session = async (ownSession: boolean) => {
      const program = spawnStream("sh", ["-c", "cut -d' ' -f6 /proc/self/stat"], { ownSession });
      let text = "";
      for await (const chunk of program.stdout) text += String(chunk);
      return Number(text) === program.pid;
    };
    expect([await session(true), await session(false)]).toEqual([true, false]);
  });

  it("feeds stdin and streams stdout", async () => {
    expect((await run("cat", [], { input: "over" })).stdout).toBe("over");
    const cat = spawnStream("cat", []);
    cat.stdin.end("streamed");
    let text = "";
    for await (const chunk of cat.stdout) text += String(chunk);
    await cat.done;
    expect(text).toBe("streamed");
  });
});
