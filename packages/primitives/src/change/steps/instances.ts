import type { Primitive, PrimitivePorts, StepContext } from "../../engine/types.ts";
import type { Commit, Readiness } from "../../model/commit.ts";
import type { Json } from "../../model/json.ts";
import { own } from "../../model/own.ts";
import type { InstanceStart } from "../../participant/commands.ts";
import { programIn } from "../decide/secrets.ts";
import { backupSteps } from "./backups.ts";
import { candidateSteps } from "./candidates.ts";
import type { ChangeKinds } from "./kinds.ts";
import { PUBLISH, publishHead } from "./publish.ts";
import { resumeSteps } from "./resumes.ts";
import { runningSteps } from "./running.ts";
import { standbySteps } from "./standbys.ts";
import { volumeSteps } from "./volumes.ts";

type Steps = Primitive<PrimitivePorts, Json, unknown, ChangeKinds, Json>["steps"];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** Time of a call beyond the wait in its arguments. */
const SLACK = 5 * SECOND;
const QUICK = 15 * SECOND;
const TRANSFER = 15 * MINUTE;
/** A pull may take long as long as something arrives, or the engine unpacks. */
const DAY = 24 * 60 * MINUTE;
const IDLE = 10 * MINUTE;
const START = MINUTE;
/** An authority looks at a host, and is asked again after errors of its own. */
const ISSUE = 10 * MINUTE;
/** Room for a second try when the answer to the first was lost. */
const RETRY = 10 * SECOND;

export const steps: Steps = {
  ...volumeSteps,
  ...standbySteps,
  ...backupSteps,
  ...candidateSteps,
  ...runningSteps,
  ...resumeSteps,
  "image.ensure": {
    timeoutMs: () => DAY + RETRY,
    retryTransient: true,
    apply: ({ machine, ...image }, { call, signal, progress }) =>
      call(machine, "image.ensure", image, {
        ...{ timeoutMs: DAY, idleTimeoutMs: IDLE, signal },
        onProgress: (value) => progress(`image ${image.ref}`, value as { done?: number; total?: number }),
      }),
  },
  "bundle.ensure": {
    timeoutMs: () => TRANSFER + RETRY,
    retryTransient: true,
    apply: ({ machine, ...bundle }, { call, signal }) =>
      call(machine, "bundle.ensure", bundle, { timeoutMs: TRANSFER, signal }),
  },
  // Kept when the operation is undone: it is an operation of its own, and the next try needs it.
  "certificate.ensure": {
    timeoutMs: ({ hosts }) => hosts.length * ISSUE + RETRY,
    retryTransient: false,
    apply: ({ machine, hosts }, { call, signal, progress }) =>
      call(
        machine,
        "certificate.ensure",
        { hosts },
        {
          ...{ timeoutMs: hosts.length * ISSUE, signal },
          onProgress: (note) => progress(typeof note === "string" ? note : ""),
        },
      ),
  },
  gate: { timeoutMs: () => SECOND, retryTransient: false, apply: async () => null },
  reserve: {
    timeoutMs: () => QUICK + RETRY,
    retryTransient: true,
    apply: ({ machine, ...wanted }, { call, signal }) =>
      call(machine, "instance.reserve", wanted, { timeoutMs: QUICK, signal }),
    undo: remove,
  },
  secrets: {
    timeoutMs: () => QUICK + RETRY,
    retryTransient: true,
    // Removed with the reservation.
    apply: ({ machine, ...wanted }, { call, signal }) =>
      call(machine, "instance.secrets", wanted, { timeoutMs: QUICK, signal }),
  },
  start: {
    timeoutMs: () => START + RETRY,
    retryTransient: true,
    apply: ({ machine, reserve, instance }, { call, output, signal, summary }) =>
      call(
        machine,
        "instance.start",
        {
          ...instance,
          ...programOf(instance, summary.next as Specs),
          address: output(reserve, "reserve").address,
        },
        { timeoutMs: START, signal },
      ),
    fleeting: ({ instance }) => instance.kind === "service", // a job runs once
    undo: ({ machine, instance: { id } }, context) => remove({ machine, id }, context),
  },
  ready: {
    timeoutMs: ({ ready }) => ready.timeoutMs + SLACK + RETRY,
    retryTransient: true,
    fleeting: () => true,
    apply({ machine, reserve, ...check }, { call, output, signal, progress }) {
      progress(`waiting until ${describe(check.ready)}`);
      return call(
        machine,
        "instance.ready",
        { ...check, address: output(reserve, "reserve").address },
        { timeoutMs: check.ready.timeoutMs + SLACK, signal },
      );
    },
  },
  verify: {
    timeoutMs: () => QUICK + RETRY,
    retryTransient: true,
    fleeting: () => true,
    async apply({ instances }, { call, signal }) {
      const check = {
        ...{ address: "", ports: {} },
        ready: { kind: "running", settleMs: 0, timeoutMs: QUICK - SLACK },
      } as const;
      await Promise.all(
        instances.map(({ machine, id }) =>
          call(machine, "instance.ready", { id, ...check }, { timeoutMs: QUICK, signal }),
        ),
      );
      return null;
    },
  },
  wait: {
    timeoutMs: ({ timeoutMs }) => timeoutMs + SLACK + RETRY,
    retryTransient: true,
    apply({ machine, ...job }, { call, signal, progress }) {
      progress("waiting for the job to end");
      return call(machine, "instance.wait", job, { timeoutMs: job.timeoutMs + SLACK, signal });
    },
  },
  stop: {
    timeoutMs: ({ graceMs }) => graceMs + QUICK + RETRY,
    retryTransient: true,
    fleeting: () => true, // it is committed still: a machine that boots starts it again
    apply: ({ machine, ...old }, { call, signal }) =>
      call(machine, "instance.stop", old, { timeoutMs: old.graceMs + QUICK, signal }),
    async undo({ machine, id }, { call, signal }) {
      await call(machine, "instance.resume", { id }, { timeoutMs: START, signal });
    },
  },
  // Longer than two waits for a frozen machine, which ends with a warning, not with an owed step.
  publish: { timeoutMs: () => 2 * PUBLISH + SLACK, retryTransient: true, waits: true, apply: publishHead },
  retire: {
    timeoutMs: ({ drainMs, graceMs }) => drainMs + graceMs + QUICK + RETRY,
    retryTransient: true,
    apply: ({ machine, ...old }, { call, signal, progress }) => {
      progress("waiting for requests in flight");
      return call(machine, "instance.retire", old, { timeoutMs: old.drainMs + old.graceMs + QUICK, signal });
    },
  },
  remove: {
    timeoutMs: () => START + RETRY,
    retryTransient: true,
    async apply(args, context) {
      await remove(args, context);
      return null;
    },
  },
};

type Caller = Pick<StepContext<PrimitivePorts>, "call" | "signal">;

export async function remove(
  { machine, id }: { machine: string; id: string },
  { call, signal }: Caller,
): Promise<void> {
  await call(machine, "instance.remove", { id }, { timeoutMs: START, signal });
}

type Specs = Pick<Commit, "services" | "jobs">;

/** A plan of many instances holds a large program once, in its summary. */
function programOf(
  { env, files, kind, service }: ChangeKinds["start"]["args"]["instance"],
  next: Specs,
): Pick<InstanceStart, "env" | "entrypoint" | "command" | "files"> {
  if (env !== undefined) return { env, ...(files !== undefined && { files }) };
  const found = kind === "job" ? own(next.jobs, service) : own(next.services, service);
  if (found === undefined) throw new Error(`the plan has no ${kind} ${service}`);
  return programIn(found.spec);
}

function describe(ready: Readiness): string {
  if (ready.kind === "http") return `GET ${ready.path} on port ${ready.port} succeeds`;
  if (ready.kind === "exec") return `${ready.argv.join(" ").slice(0, 60)} succeeds`;
  if (ready.kind === "grpc") return `gRPC health on port ${ready.port} is SERVING`;
  if (ready.kind === "tcp") return `port ${ready.port} accepts connections`;
  return `it has run for ${ready.settleMs} ms`;
}
