import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { nanos } from "nats";
import { withinDeadline } from "../deadline.ts";
import { isStreamMissing } from "../errors.ts";
import { bucketSubjects, commitSubjects, journalSubjects, streams } from "../names.ts";
import type { Session } from "../session.ts";

type Config = Partial<StreamConfig> & { readonly name: string };

/** Cluster, size and generation of a store. */
export interface StoreLayout {
  readonly cluster: string;
  /** 1, or 3 or 5 on a clustered set. */
  readonly replicas: number;
  readonly generation: number;
  /**
   * Stays the same while each generation holds all data of its predecessor. A store restored from an older backup or recovered from a
   * mirror has a new one: followers of the old store start again.
   */
  readonly lineage?: string;
}

/** Labels on each stream. */
export const labels = {
  cluster: "ployz_cluster",
  generation: "ployz_generation",
  lineage: "ployz_lineage",
} as const;

/** The streams of a store. `allow_direct` is off: reads go to the leader, so a writer always sees its own writes. */
export function streamConfigs(layout: StoreLayout): readonly Config[] {
  const common = {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    num_replicas: layout.replicas,
    allow_direct: false,
    metadata: {
      [labels.cluster]: layout.cluster,
      [labels.generation]: String(layout.generation),
      ...(layout.lineage !== undefined && { [labels.lineage]: layout.lineage }),
    },
  };
  // No roll-up: its header would let any writer of one key purge the whole bucket.
  const kept = { ...common, deny_delete: true, deny_purge: true, allow_rollup_hdrs: false };
  const bucket = (name: "facts" | "operations" | "secrets") => ({
    ...kept,
    name: streams[name],
    subjects: [bucketSubjects(name)],
    max_msgs_per_subject: 1,
  });
  return [
    {
      ...kept,
      name: streams.commits,
      subjects: [commitSubjects(layout.cluster)],
      duplicate_window: nanos(120_000),
    },
    // Retention will delete journals of old operations, so store machines may delete here.
    { ...common, name: streams.journal, subjects: [journalSubjects(layout.cluster)] },
    bucket("facts"),
    bucket("operations"),
    bucket("secrets"),
    {
      ...common,
      name: streams.leases,
      subjects: [bucketSubjects("leases")],
      max_msgs_per_subject: 1,
      allow_msg_ttl: true,
      // An expired lease leaves a marker, which wakes waiters. The server requires roll-ups for it.
      subject_delete_marker_ttl: nanos(3_600_000),
      allow_rollup_hdrs: true,
    },
  ] as readonly Config[];
}

/** Creates missing streams and updates the others. Store machines only; may be called again. */
export async function initStore(
  session: Session,
  options: { readonly replicas?: number; readonly generation?: number } = {},
): Promise<void> {
  const layout = {
    cluster: session.cluster,
    replicas: options.replicas ?? 1,
    generation: options.generation ?? 1,
  };
  for (const config of streamConfigs(layout)) {
    await withinDeadline(session, `creating ${config.name}`, async ({ jsm }) => {
      const found = await jsm.streams.info(config.name).catch((error: unknown) => {
        if (isStreamMissing(error)) return undefined;
        throw error;
      });
      if (!found) await jsm.streams.add(config);
      else if (differs(found.config, config)) {
        const metadata = { ...found.config.metadata, ...config.metadata };
        await jsm.streams.update(config.name, { ...config, metadata });
      }
    });
  }
}

function differs(found: StreamConfig, wanted: Config): boolean {
  return Object.entries(wanted).some(([field, value]) => {
    const is: unknown = Reflect.get(found, field);
    if (field === "metadata") {
      const wantedLabels = Object.entries(value as Record<string, string>);
      return wantedLabels.some(
        ([name, label]) => (is as Record<string, string> | undefined)?.[name] !== label,
      );
    }
    return JSON.stringify(is ?? false) !== JSON.stringify(value);
  });
}
