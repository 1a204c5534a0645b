import Type, { type Static } from "typebox";
import { AlertRecord, AlertState } from "./alert.ts";
import { BackupRepository, BackupRuns, BackupVerified, StoreBackup } from "./backup.ts";
import { Candidates } from "./candidates.ts";
import { AcmeRecord, CertificateRecord, RenewalRecord, RenewalWindow } from "./certificate.ts";
import { Invite } from "./invite.ts";
import { ClusterRecord, MachineRecord, RemovedMachine, SubnetRecord } from "./machine.ts";
import { ClusterSchedule, ScheduleRecord } from "./schedule.ts";
import { count, json, list, object, text } from "./schema.ts";
import { SecretRecord } from "./secret.ts";
import { StandbyRecord } from "./standby.ts";
import { TokenPort, TokenRecord } from "./token.ts";

/** A plan that an operator may apply later, as the fact `prepared.<id>`. Its id is that of the operation that applies it. */
export const PreparedPlan = object({
  primitive: text(),
  version: count(),
  input: json(),
  /** Hash of the steps and the basis. */
  hash: text(),
  /** Digests of the images and bundles that the plan uses: they stay until it expires. */
  content: Type.Optional(list(text())),
  /** RFC 3339. */
  expiresAt: text(),
  by: text(),
});
export type PreparedPlan = Static<typeof PreparedPlan>;

/** Who did something when. */
const done = { operation: text(), at: text(), by: text() };

/** That a named snapshot was taken, as the fact `volume-snapshot.<namespace>.<volume>.<name>`. */
const SnapshotRecord = object({ ...done, id: text(), machine: text(), guid: text() });

/** Every fact that the store may hold: the first word of its key, and its schema. */
export const FACTS = {
  cluster: ClusterRecord,
  machine: MachineRecord,
  removed: RemovedMachine,
  subnet: SubnetRecord,
  candidates: Candidates,
  invite: Invite,
  token: TokenRecord,
  "token-port": TokenPort,
  secret: SecretRecord,
  certificate: CertificateRecord,
  renewal: RenewalRecord,
  "renewal-window": RenewalWindow,
  acme: AcmeRecord,
  alert: AlertRecord,
  /** Under `alerting.state`. */
  alerting: AlertState,
  prepared: PreparedPlan,
  "volume-snapshot": SnapshotRecord,
  /** What has become of a schedule's ticks. */
  schedule: ScheduleRecord,
  "cluster-schedule": ClusterSchedule,
  /** The last run of a job by itself that succeeded, under `job-run.<namespace>.<job>`. */
  "job-run": object({ ...done, machine: text(), tick: Type.Optional(text()) }),
  /** The last scheduled snapshot of a volume, under `volume-keep.<namespace>.<volume>`. */
  "volume-keep": SnapshotRecord,
  /** What a standby of a volume holds. */
  standby: StandbyRecord,
  /** Where backups go. */
  "backup-repository": BackupRepository,
  /** The last backup of each volume of a namespace. */
  "backup-run": BackupRuns,
  /** The last verified backup of each volume of a namespace. */
  "backup-verify": BackupVerified,
  /** The last `backup prune` of a namespace. */
  "backup-prune": object(done),
  /** The last backup of the store. */
  "store-backup": StoreBackup,
  /** A job that runs by itself, under `running.<namespace>.<job>`. */
  running: Candidates,
  /** The last program that ran with the volumes of a service, under `volume-run.<namespace>.<service>`. */
  "volume-run": object({ ...done, machine: text() }),
  /** The last `volume prune` of a namespace. */
  "volume-prune": object(done),
  /** The last `namespace prune` of a namespace. */
  "namespace-prune": object(done),
  /** The last `image distribute` or `image pull` of an image. */
  "image-distribute": object(done),
  /** The last `image prune`. */
  "image-prune": object(done),
  /** The last `image rm` of an image. */
  "image-rm": object(done),
};

/** The first word of a fact's key, which decides its type. */
export type FactName = keyof typeof FACTS;
/** The type of each kind of fact. */
export type FactTypes = { readonly [P in FactName]: Static<(typeof FACTS)[P]> };

/** `cluster` is one fact; of the others there is one per name: `machine.m2`. */
export type FactKey<P extends FactName = FactName> = P extends "cluster" ? P : `${P}.${string}`;

/** The type of the fact under a key, or under a prefix of keys; the empty prefix stands for all. */
export type FactOf<K extends string> = K extends `${infer P}.${string}`
  ? FactTypes[P & FactName]
  : K extends FactName
    ? FactTypes[K]
    : FactTypes[FactName];

/** The name of a fact, where this version knows it. */
export function factName(key: string): FactName | undefined {
  const [name = ""] = key.split(".");
  return Object.hasOwn(FACTS, name) ? (name as FactName) : undefined;
}

/** Whether an entry is a fact of this kind; narrows its type. */
export const isFact = <P extends FactName>(
  name: P,
  fact: { readonly key: string; readonly value: unknown },
): fact is { readonly key: FactKey<P>; readonly value: FactTypes[P] } => factName(fact.key) === name;

export const isFactKey = (key: string): key is FactKey => factName(key) !== undefined;
