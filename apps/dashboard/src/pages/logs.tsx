import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { follow } from "../api.ts";
import { faultOf, useLive } from "../live/live.ts";
import { found, type Line, lineOf, MOST_LINES } from "../model/lines.ts";
import { linkTo } from "../model/route.ts";
import { CommandLine, Fault, Nothing, Panel, Text } from "../parts/bits.tsx";
import { LongList } from "../parts/list.tsx";

export function LogsPage({ of }: { readonly of: readonly string[] }) {
  const { status } = useLive();
  if (status === undefined) return <Nothing>Reading the namespaces…</Nothing>;
  const targets = status.namespaces.flatMap(({ namespace, commit }) => [
    namespace,
    ...Object.keys(commit.services).map((service) => `${namespace}/${service}`),
  ]);
  const target = of.length > 0 ? of.join("/") : targets[0];
  if (target === undefined) return <Nothing>Nothing is deployed.</Nothing>;
  return <Logs key={target} target={target} targets={targets} />;
}

const TOGETHER_MS = 100;

/** The newest lines of a target, as they come. */
function useLines(target: string): { readonly lines: readonly Line[]; readonly fault: string | undefined } {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [fault, setFault] = useState<string>();
  const count = useRef(0);
  useEffect(() => {
    let waiting: Line[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = follow(
      "GET /v1/logs",
      { query: { target, tail: "500" } },
      {
        open: () => setLines([]),
        event(event) {
          waiting.push(lineOf(event, count.current++));
          if (waiting.length > MOST_LINES) waiting = waiting.slice(-MOST_LINES);
          timer ??= setTimeout(() => {
            const more = waiting;
            [waiting, timer] = [[], undefined];
            setLines((had) => [...had, ...more].slice(-MOST_LINES));
          }, TOGETHER_MS);
        },
        fault(error) {
          setFault(faultOf(error));
          stop();
        },
      },
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [target]);
  return { lines, fault };
}

function Logs({ target, targets }: { readonly target: string; readonly targets: readonly string[] }) {
  const { lines, fault } = useLines(target);
  const [search, setSearch] = useState("");
  const [held, hold] = useState<readonly Line[]>();
  const shown = useMemo(() => found(held ?? lines, search), [held ?? lines, search]);
  return (
    <Panel
      title="Logs"
      aside={
        <span class="tools">
          <select
            aria-label="Service"
            value={target}
            onChange={({ currentTarget }) => {
              location.hash = linkTo("logs", ...currentTarget.value.split("/"));
            }}
          >
            {[...new Set([target, ...targets])].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <input
            type="search"
            placeholder="Search"
            aria-label="Search the lines"
            value={search}
            onInput={({ currentTarget }) => setSearch(currentTarget.value)}
          />
          <button
            type="button"
            class="small"
            aria-pressed={held !== undefined}
            onClick={() => hold(held === undefined ? lines : undefined)}
          >
            Pause
          </button>
        </span>
      }
    >
      <Fault text={fault} />
      <LongList
        items={shown}
        kind="lines"
        label={`Lines of ${target}`}
        stick
        keyOf={({ id }) => String(id)}
        draw={({ time, from, text, kind }) => (
          <span class={`line ${kind}`}>
            <span class="dim">{time}</span>
            <span class="from">
              <Text title={false}>{from}</Text>
            </span>
            <Text>{text}</Text>
          </span>
        )}
      />
      <p class="dim">
        {shown.length} of {lines.length} lines; older ones:{" "}
        <CommandLine command={`ployzctl logs ${target} --tail 10000`} />
      </p>
    </Panel>
  );
}
