const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

/** Parses the output of `wrk --latency`. A run with errors or non-2xx answers is not a measurement. */
export function parseWrk(text: string): { requests: number; p99: number } {
  const wrong = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(text)?.[0];
  if (wrong !== undefined) throw new Error(`wrk reported errors: ${wrong}`);
  const requests = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  const [, value, unit = ""] = /99%\s+([\d.]+)(us|ms|s|m)/.exec(text) ?? [];
  const p99 = Number(value) * (UNIT_MS[unit] ?? Number.NaN);
  if (Number.isNaN(requests) || Number.isNaN(p99))
    throw new Error(`wrk printed unexpected output: ${text.slice(0, 200)}`);
  return { requests, p99 };
}
