import type { OperationDetail, OperationEvent, OperationSummary } from "@ployz/primitives/client";
import { useEffect, useState } from "preact/hooks";
import { follow, read } from "../api.ts";
import { useDocument, useLive } from "../live/live.ts";
import { linkTo } from "../model/route.ts";
import { ago, duration } from "../model/text.ts";
import { lanesOf, type TimelineStep, timelineOf } from "../model/timeline.ts";
import { Abort, PlanSteps } from "../parts/action.tsx";
import { Fault, Nothing, Panel, State, Text, toneOf } from "../parts/bits.tsx";
import { LongList } from "../parts/list.tsx";

export function OperationsPage({ of: [wanted] }: { readonly of: readonly string[] }) {
  const { operations } = useLive();
  if (operations === undefined) return <Nothing>Reading the operations…</Nothing>;
  const id = wanted ?? operations[0]?.operation;
  return (
    <div class="split">
      <Panel title="Operations">
        {operations.length === 0 && <Nothing>None has run yet.</Nothing>}
        <LongList
          items={operations}
          kind="operations"
          label="Operations, newest first"
          keyOf={({ operation }) => operation}
          draw={(one) => <Row operation={one} current={one.operation === id} />}
        />
      </Panel>
      {id !== undefined && <Operation key={id} id={id} />}
    </div>
  );
}

const Row = ({
  operation: { operation, title, state, startedAt, by },
  current,
}: {
  readonly operation: OperationSummary;
  readonly current: boolean;
}) => (
  <a class="operation" href={linkTo("operations", operation)} aria-current={current ? "true" : undefined}>
    <span class="title">
      <Text>{title}</Text>
    </span>
    <State tone={state === "running" ? "busy" : toneOf(state)}>{state}</State>
    <span class="dim">
      {ago(startedAt, Date.now())} · <Text>{by}</Text>
    </span>
  </a>
);

const MOST_EVENTS = 5_000;
const TOGETHER_MS = 100;

/** Events of one operation, until it has ended. */
function useEvents(id: string): readonly OperationEvent[] {
  const [events, setEvents] = useState<readonly OperationEvent[]>([]);
  useEffect(() => {
    let waiting: OperationEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = follow(
      "GET /v1/operations/:id/events",
      { params: { id } },
      {
        // A connection that is made again tells everything again.
        open: () => setEvents([]),
        event(event) {
          waiting.push(event);
          timer ??= setTimeout(() => {
            const more = waiting;
            [waiting, timer] = [[], undefined];
            setEvents((had) => [...had, ...more].slice(-MOST_EVENTS));
          }, TOGETHER_MS);
        },
        fault: () => stop(),
      },
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [id]);
  return events;
}

function Operation({ id }: { readonly id: string }) {
  const { operations } = useLive();
  const summary = operations?.find(({ operation }) => operation === id);
  const events = useEvents(id);
  const key = `${id} ${summary?.state} ${events.some(({ type }) => type === "plan")} ${events.at(-1)?.type === "result"}`;
  const { document: detail, fault } = useDocument(key, (signal) =>
    read("GET /v1/operations/:id", { params: { id } }, signal),
  );
  if (detail === undefined)
    return (
      <Panel title={id}>
        {fault === undefined ? <Nothing>Reading it…</Nothing> : <Fault text={fault} />}
      </Panel>
    );
  const { steps, waiting } = timelineOf(detail, events);
  const { state, error, by, startedAt, endedAt, coordinator, title } = detail.summary;
  const took = endedAt === undefined ? undefined : Date.parse(endedAt) - Date.parse(startedAt);
  const ended = state !== "running" && state !== "interrupted" && state !== "cleanup-owed";
  return (
    <Panel title={title} aside={<State tone={state === "running" ? "busy" : toneOf(state)}>{state}</State>}>
      <p class="dim wrap">
        {id} by <Text>{by}</Text>, run by <Text>{coordinator}</Text>, {ago(startedAt, Date.now())}
        {took !== undefined && `, took ${duration(took)}`} {!ended && <Abort operation={id} />}
      </p>
      {waiting !== undefined && (
        <p class="warning">
          Waiting for <Text>{waiting}</Text>
        </p>
      )}
      {error !== undefined && (
        <Fault text={`${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}`} />
      )}
      <Steps steps={steps} />
      <Owed detail={detail} />
      {detail.plan && (
        <details>
          <summary>Plan</summary>
          <PlanSteps plan={detail.plan} />
        </details>
      )}
    </Panel>
  );
}

function Steps({ steps }: { readonly steps: readonly TimelineStep[] }) {
  if (steps.length === 0) return <Nothing>It has no steps.</Nothing>;
  const most = Math.max(1, ...steps.map(({ ms }) => ms ?? 0));
  return (
    <div class="lanes">
      {lanesOf(steps).map(({ machine, steps: mine }) => (
        <section class="lane" key={machine} aria-label={`Steps on ${machine}`}>
          <h3>
            <Text>{machine}</Text>
            <span class="dim">
              {mine.filter(({ state }) => state === "done").length} of {mine.length}
            </span>
          </h3>
          <ol>
            {mine.map((step) => (
              <li key={step.id} class="step">
                <State tone={toneOf(step.state)}>{step.state}</State>
                <span class="what">
                  <Text>{step.title}</Text>
                  {step.waitsFor.length > 0 && (
                    <span class="dim">
                      waits for <Text>{step.waitsFor.join(", ")}</Text>
                    </span>
                  )}
                  {step.note !== undefined && (
                    <span class="dim">
                      <Text>{step.note}</Text>
                      {step.share !== undefined && ` ${Math.round(step.share * 100)} %`}
                    </span>
                  )}
                  {step.error !== undefined && <Fault text={step.error.message} />}
                </span>
                <span class="took">
                  <span
                    class="bar"
                    aria-hidden="true"
                    style={{ width: `${((step.ms ?? 0) / most) * 100}%` }}
                  />
                  {step.ms === undefined ? "" : duration(step.ms)}
                </span>
              </li>
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}

const Owed = ({ detail: { owed } }: { readonly detail: OperationDetail }) =>
  owed.length === 0 ? null : (
    <>
      <h3>Clean-up that is owed</h3>
      {owed.map(({ step, error }) => (
        <Fault key={step} text={`${step}: ${error.message}`} />
      ))}
    </>
  );
