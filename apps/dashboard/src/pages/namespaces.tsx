import type { InstanceRow, NamespaceRow } from "@ployz/primitives/client";
import { useLive } from "../live/live.ts";
import type { Series } from "../live/measures.ts";
import { lineage } from "../model/lineage.ts";
import { linkTo } from "../model/route.ts";
import { type ServiceView, servicesOf } from "../model/services.ts";
import { ago, bytes } from "../model/text.ts";
import { Action } from "../parts/action.tsx";
import { Nothing, Panel, State, Text, toneOf } from "../parts/bits.tsx";
import { Chart } from "../parts/chart.tsx";
import { LongList } from "../parts/list.tsx";

export function NamespacesPage({ of: [wanted, instance] }: { readonly of: readonly string[] }) {
  const { status, instances, measures } = useLive();
  if (status === undefined) return <Nothing>Reading the namespaces…</Nothing>;
  const tree = lineage(status.namespaces);
  if (tree.length === 0)
    return (
      <Nothing>
        Nothing is deployed. Deploy a manifest: <code>ployzctl deploy -f ployz.toml</code>
      </Nothing>
    );
  const chosen = tree.find(({ row }) => row.namespace === wanted)?.row ?? tree[0]?.row;
  return (
    <div class="split">
      <Panel title="Namespaces">
        <LongList
          items={tree}
          kind="namespaces"
          label="Namespaces, each below the one that it was branched from"
          keyOf={({ row }) => row.namespace}
          draw={({ row, depth }) => (
            <a
              class="namespace"
              href={linkTo("namespaces", row.namespace)}
              aria-current={row === chosen ? "true" : undefined}
            >
              <span class="branch" style={{ paddingInlineStart: `${Math.min(depth, 6) * 14}px` }}>
                {depth > 0 && <span aria-hidden="true">└ </span>}
                <Text>{row.namespace}</Text>
              </span>
              <State
                tone={row.running === row.wanted ? "ok" : row.running === 0 ? "bad" : "warn"}
              >{`${row.running}/${row.wanted}`}</State>
            </a>
          )}
        />
      </Panel>
      {chosen && (
        <Namespace
          row={chosen}
          instances={instances?.instances ?? []}
          measures={measures}
          wanted={instance}
        />
      )}
    </div>
  );
}

function Namespace({
  row,
  instances,
  measures,
  wanted,
}: {
  readonly row: NamespaceRow;
  readonly instances: readonly InstanceRow[];
  readonly measures: ReadonlyMap<string, Series>;
  readonly wanted: string | undefined;
}) {
  const { namespace, commit, revision } = row;
  const services = servicesOf(row, instances);
  const shown = instances.find(({ id }) => id === wanted && wanted !== undefined);
  return (
    <Panel
      title={namespace}
      aside={
        <span class="dim">
          <a href={linkTo("history", namespace)}>commit {revision}</a> by <Text>{commit.by}</Text>
        </span>
      }
    >
      {commit.branchedFrom !== undefined && (
        <p class="dim">
          Branched from <a href={linkTo("namespaces", commit.branchedFrom)}>{commit.branchedFrom}</a>
        </p>
      )}
      {services.length === 0 && <Nothing>It has no services.</Nothing>}
      {services.map((service) => (
        <Service key={service.name} namespace={namespace} view={service} measures={measures} />
      ))}
      {shown && <Usage instance={shown} series={measures.get(shown.id)} />}
    </Panel>
  );
}

function Service({
  namespace,
  view,
  measures,
}: {
  readonly namespace: string;
  readonly view: ServiceView;
  readonly measures: ReadonlyMap<string, Series>;
}) {
  const { name, service, instances, running, wanted, routes, health } = view;
  const target = `${namespace}/${name}`;
  const input = { namespace, services: [name] };
  return (
    <section class="service" aria-label={target}>
      <header>
        <h3>
          <Text>{name}</Text>
        </h3>
        <State tone={toneOf(health)}>
          {health === "good" ? `${running} of ${wanted} run` : `${health}: ${running} of ${wanted} run`}
        </State>
        <span class="acts">
          <a href={linkTo("logs", target)}>Logs</a>
          {service?.stopped ? (
            <Action
              label="Start"
              command={`ployzctl start ${target}`}
              asked={{ primitive: "start", input }}
            />
          ) : (
            <>
              <Action
                label="Restart"
                command={`ployzctl restart ${target}`}
                asked={{ primitive: "restart", input }}
              />
              <Action label="Stop" command={`ployzctl stop ${target}`} asked={{ primitive: "stop", input }} />
            </>
          )}
        </span>
      </header>
      <p class="dim wrap">
        <Text>
          {service?.spec.image?.ref ??
            (service?.spec.bundle === undefined ? "" : `bundle ${service.spec.bundle.digest.slice(0, 19)}`)}
        </Text>
        {routes.map((route) => (
          <span class="tag" key={route}>
            <Text>{route}</Text>
          </span>
        ))}
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Instance</th>
            <th scope="col">State</th>
            <th scope="col">Machine</th>
            <th scope="col" class="number">
              CPU
            </th>
            <th scope="col" class="number">
              Memory
            </th>
            <th scope="col" class="wide">
              Since
            </th>
          </tr>
        </thead>
        <tbody>
          {instances.map((one) => {
            const series = measures.get(one.id);
            const cpu = series?.cpu.at(-1);
            const memory = series?.memory.at(-1) ?? one.observed?.memoryBytes;
            return (
              <tr key={one.id}>
                <th scope="row">
                  <a href={linkTo("namespaces", namespace, one.id)}>
                    <Text>{`${one.service}.${one.slot}`}</Text>
                  </a>
                </th>
                <td>
                  <State tone={toneOf(one.state)}>{one.state}</State>
                </td>
                <td>
                  <Text>{one.machine}</Text>
                </td>
                <td class="number">{cpu === undefined || cpu === null ? "–" : cores(cpu)}</td>
                <td class="number">{memory === undefined || memory === null ? "–" : bytes(memory)}</td>
                <td class="wide">{ago(one.observed?.startedAt, Date.now())}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

const cores = (value: number): string => `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
const NONE: readonly never[] = [];

function Usage({
  instance,
  series,
}: {
  readonly instance: InstanceRow;
  readonly series: Series | undefined;
}) {
  const { times = NONE, cpu = NONE, memory = NONE } = series ?? {};
  return (
    <section class="usage" aria-label={`Usage of ${instance.id}`}>
      <h3>
        <Text>{instance.id}</Text>
      </h3>
      <div class="charts">
        <Chart label="CPU" times={times} values={cpu} format={cores} />
        <Chart label="Memory" times={times} values={memory} format={bytes} />
      </div>
    </section>
  );
}
