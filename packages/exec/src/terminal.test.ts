import { text } from "node:stream/consumers";
import { afterEach, expect, test, vi } from "vitest";
import { identify, isAlive } from "./identity.ts";
import { spawnOnTerminal } from "./terminal.ts";
import { waitFor } from "./wait-for.ts";

const size = { columns: 101, rows: 33 };

afterEach(() => vi.unstubAllEnvs());

test("a program on a terminal sees its size, its input, and each resize", async () => {
  const script =
    'stty size; read line; echo "got $line"; until [ "$(stty size)" = "20 50" ]; do sleep 0.05; done; exit 3';
  const program = await spawnOnTerminal("sh", ["-c", script], size);
  program.input.write("hello\n");
  let seen = "";
  for await (const chunk of program.output) {
    seen += String(chunk);
    if (seen.endsWith("got hello\n")) await program.resize({ columns: 50, rows: 20 });
  }
  expect(seen).toBe("33 101\ngot hello\n");
  expect(await program.done).toEqual({ exitCode: 3 });
});

test("output comes whole, however slowly it is read, and the end of the input is typed", async () => {
  const { output, input, done } = await spawnOnTerminal(
    "sh",
    ["-c", "stty icanon; head -c 300000 /dev/zero | tr '\\0' a; cat"],
    size,
  );
  let bytes = 0;
  for await (const chunk of output) {
    bytes += (chunk as Buffer).length;
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (bytes === 300_000) input.end();
  }
  expect(bytes).toBe(300_000);
  expect(await done).toEqual({ exitCode: 0 });
});

test("more input than a terminal holds waits for the program", async () => {
  const { output, input, done } = await spawnOnTerminal(
    "sh",
    ["-c", "sleep 0.3; head -c 100000 | wc -c"],
    size,
  );
  input.write("a".repeat(100_000));
  expect((await text(output)).trim()).toBe("100000");
  expect(await done).toEqual({ exitCode: 0 });
});

test("closing the terminal ends the program, and a signal gives 128 + its number", async () => {
  const { output, pid, done, kill } = await spawnOnTerminal("sleep", ["100"], size);
  const identity = await identify(pid ?? 0);
  output.resume();
  kill("SIGTERM");
  expect(await done).toEqual({ exitCode: 143 });
  await waitFor(
    "its end",
    async () => (identity !== undefined && (await isAlive(identity)) ? undefined : true),
    { timeoutMs: 2_000 },
  );
});

test("without perl, the error says which package has it", async () => {
  vi.stubEnv("PATH", "/nonexistent");
  await expect(spawnOnTerminal("/bin/true", [], size)).rejects.toMatchObject({
    code: "exec_not_found",
    hint: "apt-get install perl-base",
  });
});

test("a program that is not there is reported", async () => {
  await expect(spawnOnTerminal("/no/such/program", [], size)).rejects.toThrow(/ENOENT/);
});
