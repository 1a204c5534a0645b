import type { ErrorBody } from "@ployz/errors";
import type { CertificateRecord } from "../../model/certificate.ts";
import type { Commit } from "../../model/commit.ts";
import type { MachineRecord } from "../../model/machine.ts";
import type { MachineObservation, ObservedSnapshot } from "../../model/observation.ts";
import type { SecretRecord } from "../../model/secret.ts";

/** An image or a bundle, as far as the cluster knows it. */
export type Found = {
  /** The digest that machines would run. Absent: nothing can be planned with it. */
  readonly digest?: string;
  /** Of an image, where machines or its registry know it: `amd64` or `arm64`. */
  readonly arch?: string;
  /** Machines that have it, or whose registry does; sorted. None: it cannot be shipped now. */
  readonly holders: readonly string[];
  /** Machines without it, and why. */
  readonly tried: readonly {
    readonly machine: string;
    readonly reason: string;
    readonly code?: string;
    readonly hint?: string;
  }[];
  /** The holder's registry has it, and no machine does. */
  readonly registry?: true;
  /** When the reference got this digest; absent for a digest that was not resolved from a tag now. RFC 3339. */
  readonly at?: string;
  /** A tag with several digests, none of them the committed one. */
  readonly ambiguous?: readonly { readonly machine: string; readonly digest: string }[];
  readonly warning?: string;
};

/** Snapshots of a copy of a volume on a machine; none where it is not, or where the machine does not answer. */
export type Snapshots = ReadonlyMap<string, readonly ObservedSnapshot[]>;

export type MachineFact = {
  readonly record: MachineRecord;
  /** Revision of the fact `machine.<id>`. */
  readonly revision: number;
  /** Absent when it did not answer; then `error` says why. */
  readonly observation?: MachineObservation;
  readonly error?: ErrorBody;
  /** It does not answer, and the operator has declared it lost with its data. */
  readonly lost?: true;
};

export type Head = { readonly commit: Commit; readonly revision: number };

/** The facts that every change of a namespace is planned from. */
export type ChangeFacts = {
  /** The namespace as it is; absent before its first commit. */
  readonly head?: Head;
  /** The other namespaces. */
  readonly others: readonly Head[];
  /** All members, sorted by id, including draining ones and standbys. */
  readonly machines: readonly MachineFact[];
  /** Images and bundles that may have to be shipped, by digest. */
  readonly content: ReadonlyMap<string, Found>;
  /** Revision of the namespace's candidates; 0: there are none. */
  readonly candidates: number;
  /** Those that gateways serve. */
  readonly certificates: readonly CertificateRecord[];
  /** Instances of the namespace, by id, that run by themselves: no operation on the namespace touches them. */
  readonly running?: ReadonlySet<string>;
  /** Snapshots of standbys that may be taken over; absent where none is. */
  readonly standbys?: Snapshots;
  /** Of all namespaces. */
  readonly secrets: readonly SecretFact[];
};

/** `revision`: of the fact. */
export type SecretFact = { readonly record: SecretRecord; readonly revision: number };
