import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { hello } from "../examples/hello.ts";
import { makeMachine } from "./machine.ts";

test("the example of the README runs", async () => {
  const machine = await makeMachine();
  try {
    expect(await hello(machine.dir)).toEqual({ exitCode: 0, said: ["hello from hello-0"] });
  } finally {
    await machine.remove();
  }
});

test("the README shows the example as it is", async () => {
  const read = (path: string) => readFile(new URL(path, import.meta.url), "utf8");
  expect(await read("../README.md")).toContain(`\`\`\`ts\n${await read("../examples/hello.ts")}\`\`\``);
});
