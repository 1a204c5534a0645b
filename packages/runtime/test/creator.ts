import { openProcessRuntime } from "../src/process/open.ts";

// The fixture of "survives kill -9": starts an instance, says its pid, and then only waits to be killed.
const [options, spec] = process.argv.slice(2).map((text) => JSON.parse(text));
const runtime = await openProcessRuntime(options);
await runtime.create(spec);
const { pid } = await runtime.start(spec.id);
process.stdout.write(`${pid}\n`);
setInterval(() => {}, 1_000);
