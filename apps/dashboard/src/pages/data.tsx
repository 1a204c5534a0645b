import type { SnapshotList, VolumeRow } from "@ployz/primitives/client";
import { read } from "../api.ts";
import { useDocument, useLive } from "../live/live.ts";
import { timeLine } from "../model/moments.ts";
import { linkTo } from "../model/route.ts";
import { ago, bytes } from "../model/text.ts";
import { Action } from "../parts/action.tsx";
import { CommandLine, Fault, Meter, Nothing, Panel, State, Text, toneOf } from "../parts/bits.tsx";
import { LongList } from "../parts/list.tsx";

export function DataPage({ of: [namespace, name] }: { readonly of: readonly string[] }) {
  const { changes } = useLive();
  const { document, fault } = useDocument(`volumes ${changes}`, (signal) =>
    read("GET /v1/volumes", {}, signal),
  );
  if (document === undefined)
    return fault === undefined ? <Nothing>Reading the volumes…</Nothing> : <Fault text={fault} />;
  const volumes = document.volumes.filter(({ committed }) => committed);
  if (document.volumes.length === 0)
    return (
      <Nothing>
        There are no volumes. Name one in a manifest, or:{" "}
        <CommandLine command="ployzctl volume create --help" />
      </Nothing>
    );
  const chosen = volumes.find((one) => one.namespace === namespace && one.name === name) ?? volumes[0];
  return (
    <div class="split">
      <Panel
        title="Volumes"
        aside={
          document.unreachable.length > 0 && (
            <State tone="bad">{`unreachable: ${document.unreachable.join(", ")}`}</State>
          )
        }
      >
        <LongList
          items={volumes}
          kind="volumes"
          label="Volumes"
          keyOf={({ id, machine }) => `${id} ${machine}`}
          draw={(row) => <Volume row={row} current={row === chosen} />}
        />
      </Panel>
      {chosen && (
        <Details
          key={chosen.id}
          volume={chosen}
          copies={document.volumes.filter(
            (one) => !one.committed && one.namespace === chosen.namespace && one.name === chosen.name,
          )}
          clones={volumes.filter(
            ({ origin }) => origin?.namespace === chosen.namespace && origin.volume === chosen.name,
          )}
          changes={changes}
        />
      )}
    </div>
  );
}

const used = ({ observed, spec }: VolumeRow) => {
  const quota = observed?.quotaBytes ?? spec?.quotaBytes;
  const share = observed === undefined || quota === undefined ? undefined : observed.usedBytes / quota;
  const text =
    observed === undefined
      ? "–"
      : `${bytes(observed.usedBytes)}${quota === undefined ? "" : ` of ${bytes(quota)}`}`;
  return { share, text };
};

const Volume = ({ row, current }: { readonly row: VolumeRow; readonly current: boolean }) => (
  <a
    class="volume"
    href={linkTo("data", row.namespace, row.name)}
    aria-current={current ? "true" : undefined}
  >
    <span class="title">
      <Text>{`${row.namespace}/${row.name}`}</Text>
    </span>
    <State tone={toneOf(row.state)}>{row.state}</State>
    <Meter label="used" {...used(row)} />
    <span class="dim">
      <Text>{row.machine}</Text>
    </span>
  </a>
);

function Details({
  volume,
  copies,
  clones,
  changes,
}: {
  readonly volume: VolumeRow;
  readonly copies: readonly VolumeRow[];
  readonly clones: readonly VolumeRow[];
  readonly changes: number;
}) {
  const { namespace, name, users, origin, moved, observed } = volume;
  const target = `${namespace}/${name}`;
  const { document, fault } = useDocument(`${target} ${changes}`, (signal) =>
    read("GET /v1/volumes/:ns/:name/snapshots", { params: { ns: namespace, name } }, signal),
  );
  return (
    <Panel
      title={target}
      aside={
        <Action
          label="Snapshot"
          command={`ployzctl volume snapshot ${target}`}
          asked={{ primitive: "volume-snapshot", input: { namespace, volume: name } }}
        />
      }
    >
      <dl class="pairs">
        <dt>Machine</dt>
        <dd>
          <Text>{volume.machine}</Text>
          {moved && (
            <span class="dim">
              , moved from <Text>{moved.from}</Text>
            </span>
          )}
        </dd>
        <dt>Used by</dt>
        <dd>
          <Text>{users.length === 0 ? "nothing" : users.join(", ")}</Text>
        </dd>
        <dt>Size</dt>
        <dd>
          {used(volume).text}
          {observed && <span class="dim">, {bytes(observed.referencedBytes)} without snapshots</span>}
        </dd>
        <dt>Shares blocks with</dt>
        <dd>
          {origin === undefined && clones.length === 0 && "nothing"}
          {origin && <Text>{`${origin.namespace}/${origin.volume}@${origin.snapshot} `}</Text>}
          {clones.map((one) => (
            <a key={one.id} class="tag" href={linkTo("data", one.namespace, one.name)}>
              <Text>{`${one.namespace}/${one.name}`}</Text>
            </a>
          ))}
        </dd>
      </dl>
      <h3>Other copies</h3>
      {copies.length === 0 && <Nothing>There are none.</Nothing>}
      {copies.map((copy) => (
        <p key={`${copy.id} ${copy.machine}`}>
          <State tone={toneOf(copy.state)}>{copy.state}</State> on <Text>{copy.machine}</Text>{" "}
          <span class="dim">{used(copy).text}</span>
        </p>
      ))}
      <h3>Snapshots</h3>
      <Fault text={fault} />
      {document && <Snapshots list={document} />}
    </Panel>
  );
}

function Snapshots({ list: { snapshots } }: { readonly list: SnapshotList }) {
  if (snapshots.length === 0) return <Nothing>There are none.</Nothing>;
  const now = Date.now();
  const line = timeLine(snapshots, ({ createdAt }) => createdAt, now);
  return (
    <>
      <div class="timeline" aria-hidden="true">
        {line.moments.map(({ item, at }) => (
          <span key={item.guid} class="moment" style={{ left: `${at * 100}%` }} />
        ))}
        <span class="from">{ago(new Date(line.from).toISOString(), now)}</span>
        <span class="to">now</span>
      </div>
      <LongList
        items={[...snapshots].reverse()}
        kind="snapshots"
        label="Snapshots, newest first"
        keyOf={({ guid }) => guid}
        draw={({ name, createdAt, usedBytes }) => (
          <span class="snapshot">
            <Text>{name}</Text>
            <span class="dim">{ago(createdAt, now)}</span>
            <span class="number">{bytes(usedBytes)}</span>
          </span>
        )}
      />
    </>
  );
}
