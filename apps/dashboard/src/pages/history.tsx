import type { CommitHistory } from "@ployz/primitives/client";
import { useState } from "preact/hooks";
import { read } from "../api.ts";
import { useDocument, useLive } from "../live/live.ts";
import { type Difference, differencesOf } from "../model/difference.ts";
import { linkTo } from "../model/route.ts";
import { ago } from "../model/text.ts";
import { Action } from "../parts/action.tsx";
import { Fault, Nothing, Panel, Text } from "../parts/bits.tsx";
import { LongList } from "../parts/list.tsx";

type Row = CommitHistory["commits"][number];

export function HistoryPage({ of: [wanted, from, to] }: { readonly of: readonly string[] }) {
  const { status } = useLive();
  if (status === undefined) return <Nothing>Reading the namespaces…</Nothing>;
  const names = status.namespaces.map(({ namespace }) => namespace).sort();
  const namespace = wanted ?? names[0];
  if (namespace === undefined) return <Nothing>Nothing was deployed yet.</Nothing>;
  return <History key={namespace} names={names} namespace={namespace} from={from} to={to} />;
}

function History({
  names,
  namespace,
  from,
  to,
}: {
  readonly names: readonly string[];
  readonly namespace: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
}) {
  const { changes } = useLive();
  const { document, fault } = useDocument(`${namespace} ${changes}`, (signal) =>
    read("GET /v1/namespaces/:ns/history", { params: { ns: namespace }, query: { limit: "200" } }, signal),
  );
  const commits = document?.commits ?? [];
  const [last, previous] = commits;
  const newer = to ?? (last && String(last.revision));
  const older = from ?? (previous && String(previous.revision));
  return (
    <div class="split">
      <Panel
        title="History"
        aside={
          <select
            aria-label="Namespace"
            value={namespace}
            onChange={({ currentTarget }) => {
              location.hash = linkTo("history", currentTarget.value);
            }}
          >
            {[...new Set([namespace, ...names])].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        }
      >
        <Fault text={fault} />
        <LongList
          items={commits}
          kind="commits"
          label="Commits, newest first"
          keyOf={({ revision }) => String(revision)}
          draw={(row) => (
            <Commit row={row} namespace={namespace} last={last?.revision} older={older} newer={newer} />
          )}
        />
      </Panel>
      {older !== undefined && newer !== undefined ? (
        <Diff key={`${older} ${newer}`} namespace={namespace} from={older} to={newer} />
      ) : (
        <Panel title="Difference">
          <Nothing>There is one commit: nothing to compare it with.</Nothing>
        </Panel>
      )}
    </div>
  );
}

function Commit({
  row,
  namespace,
  last,
  older,
  newer,
}: {
  readonly row: Row;
  readonly namespace: string;
  readonly last: number | undefined;
  readonly older: string | undefined;
  readonly newer: string | undefined;
}) {
  const id = String(row.revision);
  return (
    <div class="commit">
      <span class="title">
        <strong>{id}</strong> {row.removed ? "removed" : row.primitive}{" "}
        <span class="dim">{changesText(row)}</span>
      </span>
      <span class="dim">
        {ago(row.at, Date.now())} · <Text>{row.by}</Text>
      </span>
      <span class="acts">
        <a
          href={linkTo("history", namespace, id, newer ?? id)}
          aria-current={id === older ? "true" : undefined}
        >
          from
        </a>
        <a
          href={linkTo("history", namespace, older ?? id, id)}
          aria-current={id === newer ? "true" : undefined}
        >
          to
        </a>
        {row.revision !== last && !row.removed && (
          <Action
            label="Roll back"
            command={`ployzctl rollback ${namespace} --to ${id}`}
            asked={{ primitive: "rollback", input: { namespace, to: id } }}
          />
        )}
      </span>
    </div>
  );
}

function changesText({ changes: { services, jobs, volumes, routes } }: Row): string {
  const parts = [services, jobs, volumes].flatMap(({ added, changed, removed }) => [
    ...added.map((name) => `+${name}`),
    ...changed.map((name) => `~${name}`),
    ...removed.map((name) => `−${name}`),
  ]);
  if (routes.added + routes.removed > 0) parts.push(`routes +${routes.added} −${routes.removed}`);
  return parts.join(" ");
}

function Diff({
  namespace,
  from,
  to,
}: {
  readonly namespace: string;
  readonly from: string;
  readonly to: string;
}) {
  const [filter, setFilter] = useState("");
  const { document, fault } = useDocument(`${namespace} ${from} ${to}`, async (signal) => {
    const [before, after] = await Promise.all(
      [from, to].map((commit) =>
        read("GET /v1/namespaces/:ns/commits/:commit", { params: { ns: namespace, commit } }, signal),
      ),
    );
    return before && after ? differencesOf(before.commit, after.commit) : [];
  });
  const shown = document?.filter(({ path }) => path.includes(filter)) ?? [];
  return (
    <Panel
      title={`${from} → ${to}`}
      aside={
        <input
          type="search"
          placeholder="Filter"
          aria-label="Filter the fields"
          value={filter}
          onInput={({ currentTarget }) => setFilter(currentTarget.value)}
        />
      }
    >
      <Fault text={fault} />
      {document !== undefined && shown.length === 0 && <Nothing>Nothing differs.</Nothing>}
      <table class="diff">
        <tbody>
          {shown.map((one) => (
            <Field key={one.path} difference={one} />
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

const Field = ({ difference: { path, before, after } }: { readonly difference: Difference }) => (
  <tr>
    <th scope="row">
      <Text>{path}</Text>
    </th>
    <td>
      {before !== undefined && (
        <del>
          <span aria-hidden="true">− </span>
          <Text>{before}</Text>
        </del>
      )}
      {after !== undefined && (
        <ins>
          <span aria-hidden="true">+ </span>
          <Text>{after}</Text>
        </ins>
      )}
    </td>
  </tr>
);
