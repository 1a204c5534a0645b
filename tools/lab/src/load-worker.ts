import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { type LoadOptions, type Sample, summarize } from "./load-report.ts";

/**
 * Runs inside the source's network namespace. Takes its options as one JSON argument, prints one report.
 * SIGINT and SIGTERM end the run early; it still prints the report.
 */
const options = JSON.parse(process.argv[2] ?? "{}") as LoadOptions;
const url = new URL(options.url);
const secure = url.protocol === "https:";
const limits = { keepAlive: options.keepAlive, maxSockets: Infinity };
const agent = secure ? new HttpsAgent({ ...limits, rejectUnauthorized: false }) : new HttpAgent(limits);

const startedAt = new Date().toISOString();
const start = performance.now();
const now = () => performance.now() - start;
const samples: Sample[] = [];
let stopped = false;
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => (stopped = true));

function send(dueMs: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (outcome: { status?: number; error?: string }) => {
      clearTimeout(deadline);
      samples.push({ dueMs, endMs: now(), ...outcome });
      resolve();
    };
    const outgoing = (secure ? httpsRequest : httpRequest)(url, {
      agent,
      headers: options.host === undefined ? {} : { host: options.host },
      ...(secure && options.host !== undefined && { servername: options.host }),
    });
    // One end per request: whichever of answer, error and deadline comes first.
    let open = true;
    const once = (outcome: { status?: number; error?: string }) => {
      if (!open) return;
      open = false;
      end(outcome);
    };
    const deadline = setTimeout(() => {
      // After a CPU stall, timers fire before pending input: read that first.
      setImmediate(() => {
        once({ error: `no complete answer within ${options.timeoutMs} ms` });
        outgoing.destroy();
      });
    }, options.timeoutMs);
    outgoing.on("error", (error: NodeJS.ErrnoException) => once({ error: error.code ?? error.message }));
    outgoing.on("response", (incoming) => {
      incoming.resume();
      incoming.on("error", (error: NodeJS.ErrnoException) =>
        once({ error: `answer cut off: ${error.code ?? error.message}` }),
      );
      incoming.on("end", () => once({ status: incoming.statusCode ?? 0 }));
    });
    outgoing.end();
  });
}

const pending: Promise<void>[] = [];
const total = Math.round(options.rate * options.seconds);
for (let k = 0; k < total && !stopped; ) {
  const due = (k * 1000) / options.rate;
  const wait = due - now();
  // Timers fire on whole milliseconds; requests due by then are sent together, each with its own due time.
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(wait, 100)));
  else {
    pending.push(send(due));
    k++;
  }
}
// The run lasts as long as asked for: a gap at its end counts too.
while (!stopped && now() < options.seconds * 1000) await new Promise((resolve) => setTimeout(resolve, 5));
const endMs = now();
await Promise.all(pending);
process.stdout.write(`${JSON.stringify(summarize(options, startedAt, endMs, samples))}\n`, () =>
  process.exit(0),
);
