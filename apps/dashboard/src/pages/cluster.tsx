import type { MachineRow, MachineSample } from "@ployz/primitives/client";
import { useLive } from "../live/live.ts";
import { bytes, duration } from "../model/text.ts";
import { Action } from "../parts/action.tsx";
import { Meter, Nothing, Panel, State, Text, toneOf } from "../parts/bits.tsx";
import { LongList } from "../parts/list.tsx";

export function ClusterPage() {
  const { status, instances, machines } = useLive();
  if (status === undefined) return <Nothing>Reading the cluster…</Nothing>;
  const rows = [...status.machines].sort((a, b) => Number(a.reachable) - Number(b.reachable));
  const away = rows.filter(({ reachable }) => !reachable).length;
  const committed = instances?.instances.filter((one) => one.committed) ?? [];
  const running = committed.filter(({ state }) => state === "running").length;
  return (
    <>
      <dl class="facts">
        <Fact
          name="Machines"
          bad={away > 0}
          text={away === 0 ? `${rows.length} answer` : `${away} of ${rows.length} do not answer`}
        />
        <Fact
          name="Instances"
          bad={running < committed.length}
          text={`${running} of ${committed.length} run`}
        />
        <Fact
          name="Store"
          bad={status.store.state !== "connected"}
          text={`${status.store.state} on ${status.store.machines.join(", ")}`}
        />
        <Fact name="Warnings" bad={status.warnings.length > 0} text={String(status.warnings.length)} />
      </dl>
      <Panel title={`Cluster ${status.cluster?.name ?? ""}`}>
        <LongList
          items={rows}
          kind="machines"
          label="Machines"
          keyOf={({ record }) => record.id}
          draw={(row) => <Machine row={row} sample={machines.get(row.record.id)} self={status.self} />}
        />
      </Panel>
    </>
  );
}

const Fact = ({
  name,
  text,
  bad,
}: {
  readonly name: string;
  readonly text: string;
  readonly bad: boolean;
}) => (
  <div class={bad ? "bad" : ""}>
    <dt>{name}</dt>
    <dd>
      <Text>{text}</Text>
    </dd>
  </div>
);

function Machine({
  row,
  sample,
  self,
}: {
  readonly row: MachineRow;
  readonly sample: MachineSample | undefined;
  readonly self: string | undefined;
}) {
  const { record, lifecycle, reachable, error, observation, committed } = row;
  const age = sample?.handshakeAgeMs ?? row.handshakeAgeMs;
  const load = sample?.load1 ?? observation?.load1;
  const free = sample?.memoryFreeBytes ?? observation?.memoryFreeBytes;
  const disk = sample?.diskFreeBytes ?? observation?.diskFreeBytes;
  const memory = observation?.memoryBytes;
  const drains = lifecycle === "draining" || lifecycle === "drained";
  return (
    <article class={`machine ${reachable ? "" : "away"}`}>
      <h3>
        <Text>{record.id}</Text>
        {record.store && <span class="tag">store</span>}
        {record.id === self && <span class="tag">this one</span>}
      </h3>
      <span class="cell state-cell">
        {reachable ? (
          <State tone={toneOf(lifecycle)}>{lifecycle}</State>
        ) : (
          <State tone="bad">unreachable</State>
        )}
      </span>
      {reachable && observation !== undefined ? (
        <>
          <Meter
            label="load"
            share={load === undefined ? undefined : load / Math.max(1, observation.cpus)}
            text={load === undefined ? "–" : `load ${load.toFixed(2)}`}
          />
          <Meter
            label="memory"
            share={free === undefined || memory === undefined ? undefined : 1 - free / memory}
            text={
              free === undefined || memory === undefined ? "–" : `${bytes(memory - free)} of ${bytes(memory)}`
            }
          />
          <span class="cell">{disk === undefined ? "–" : `${bytes(disk)} disk free`}</span>
        </>
      ) : (
        <span class="why">
          <Text>{error?.message ?? "it does not answer"}</Text>
        </span>
      )}
      <span class="cell dim">
        {record.id === self ? "local" : age === undefined ? "no handshake" : `handshake ${duration(age)}`}
      </span>
      <span class="cell dim">
        {committed.instances} inst · {committed.volumes} vol
      </span>
      <span class="cell act">
        {drains ? (
          <Action
            label="Activate"
            command={`ployzctl machine activate ${record.id}`}
            asked={{ primitive: "machine-activate", input: { machine: record.id } }}
          />
        ) : (
          <Action
            label="Drain"
            command={`ployzctl machine drain ${record.id}`}
            asked={{ primitive: "machine-drain", input: { machine: record.id } }}
          />
        )}
      </span>
    </article>
  );
}
