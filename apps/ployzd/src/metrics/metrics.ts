import type { OperationEvent } from "@ployz/primitives/protocol";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { FAMILIES, type Snapshot } from "./samples.ts";

/** What this daemon counts, in the text format of Prometheus. Labels name commands, primitives, namespaces and services, so their number is bounded. */
export interface Metrics {
  /** An event of an operation that this daemon runs. */
  operation(event: OperationEvent): void;
  /** A call to a machine has ended. `result`: `ok` or the code of its error. */
  call(command: string, result: string, seconds: number): void;
  /** The text. Scrapes at the same time share one look at the machine. */
  text(): Promise<string>;
  readonly contentType: string;
}

const OPERATION_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
const CALL_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

export function openMetrics(options: {
  readonly version: string;
  readonly machine: string;
  look(): Promise<Snapshot>;
}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    ...{ name: "ployz_build_info", help: "1; its labels name the machine and the version.", registers },
    labelNames: ["version", "machine"],
  }).set({ version: options.version, machine: options.machine }, 1);
  const ended = new Histogram({
    ...{ name: "ployz_operation_duration_seconds", help: "Operations that this daemon ran to their end." },
    ...{ labelNames: ["primitive", "state"], buckets: OPERATION_SECONDS, registers },
  });
  const steps = new Counter({
    ...{ name: "ployz_operation_steps_total", help: "Steps that ended, by how." },
    ...{ labelNames: ["state"], registers },
  });
  const calls = new Histogram({
    ...{ name: "ployz_call_duration_seconds", help: "Calls from this daemon to machines, itself included." },
    ...{ labelNames: ["command", "result"], buckets: CALL_SECONDS, registers },
  });
  const families = FAMILIES.map(({ name, help, labels, type, samples }) => {
    const config = { name, help, labelNames: [...labels], registers };
    return { labels, metric: type === "gauge" ? new Gauge(config) : new Counter(config), samples };
  });

  let scrape: Promise<string> | undefined;
  async function scraped(): Promise<string> {
    const snapshot = await options.look();
    for (const { labels, metric, samples } of families) {
      metric.reset();
      if (labels.length === 0) metric.remove(); // a reset leaves a sample of 0
      for (const sample of samples(snapshot)) metric.inc(sample.labels ?? {}, sample.value);
    }
    return registry.metrics();
  }

  return {
    operation(event) {
      if (event.type === "step" && event.state !== "started" && event.state !== "undoing")
        steps.inc({ state: event.state });
      if (event.type !== "result") return;
      const { primitive, state, ms } = event.result;
      ended.observe({ primitive, state }, ms / 1000);
    },
    call: (command, result, seconds) => calls.observe({ command, result }, seconds),
    text() {
      scrape ??= scraped().finally(() => {
        scrape = undefined;
      });
      return scrape;
    },
    contentType: registry.contentType,
  };
}
