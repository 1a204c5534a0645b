import { type ErrorBody, PloyzError as WireError } from "@ployz/errors";
import {
  backupRestore,
  backupRun,
  backupVerify,
  branch,
  canaryFinish,
  canaryUndo,
  deployPrimitive,
  jobRun,
  maintenance,
  migrate,
  namespaceRm,
  promote,
  restart,
  rollback,
  scale,
  start,
  stop,
  volumeCreate,
  volumeFork,
  volumePrune,
  volumeRestore,
  volumeRm,
  volumeRun,
  volumeSnapshot,
  volumeStandbyAdd,
  volumeStandbyRm,
  volumeStandbySync,
} from "@ployz/primitives";
import type { PrimitiveName } from "@ployz/primitives/client";
import type { Permission } from "@ployz/primitives/protocol";
import type { Demand } from "./grant.ts";

type Parsed<In> =
  | { readonly ok: true; readonly input: In }
  | { readonly ok: false; readonly refusals: readonly ErrorBody[] };
type Names = Pick<Demand, "in" | "from" | "to" | "peers">;
type Rule = (input: unknown) => Omit<Demand, "what">;

/** The namespaces that a checked input names. */
function rule<Sent, In>(
  { parse }: { parse(input: Sent): Parsed<In> },
  allow: Permission,
  names: (input: In) => Names,
): Rule {
  return (raw) => {
    const parsed = parse(raw as Sent); // checks whatever it gets
    if (parsed.ok) return { allow: [allow], ...names(parsed.input) };
    throw new WireError({ code: "invalid_input", message: "the input is invalid", ...parsed.refusals[0] });
  };
}

/** No token may run it: it concerns machines, the cluster, or what all namespaces share. */
const NEVER: Rule = () => ({ allow: "never" });

const own = ({ namespace }: { readonly namespace: string }): Names => ({ in: [namespace] });
const both = ({ source, target }: Readonly<Record<"source" | "target", { namespace: string }>>): Names => ({
  in: [source.namespace, target.namespace],
});
/** Of `namespace/volume`. */
const ownerOf = (volume: string): string => volume.split("/")[0] ?? "";

/** Of each primitive: the permission that it needs, and every namespace that its input names. A primitive that is not here is refused. */
export const INPUTS: { readonly [N in PrimitiveName]: Rule } = {
  deploy: rule(deployPrimitive, "deploy", ({ manifest }) => ({
    in: [manifest.namespace],
    peers: [
      ...(manifest.allow_routes_from ?? []),
      ...Object.values(manifest.services ?? {}).flatMap(({ allow_from: peers = [] }) =>
        peers.map((peer) => peer.split(":")[0] ?? ""),
      ),
    ],
  })),
  "canary-finish": rule(canaryFinish, "deploy", own),
  "canary-undo": rule(canaryUndo, "deploy", own),
  branch: rule(branch, "branch", ({ source, target }) => ({ in: [target], from: source })),
  // The data of a namespace that it only may promote to stays.
  promote: rule(promote, "promote", ({ source, target, volumes = {} }) =>
    Object.values(volumes).includes("replace") ? { in: [source, target] } : { in: [source], to: target },
  ),
  rollback: rule(rollback, "rollback", own),
  migrate: rule(migrate, "migrate", ({ namespace, acceptLoss = [] }) => ({
    in: [namespace, ...acceptLoss.map(ownerOf)],
  })),
  restart: rule(restart, "restart", own),
  stop: rule(stop, "stop", own),
  start: rule(start, "start", own),
  scale: rule(scale, "scale", own),
  maintenance: rule(maintenance, "maintenance", own),
  "namespace-rm": rule(namespaceRm, "remove", own),
  "job-run": rule(jobRun, "schedule", own),
  "volume-create": rule(volumeCreate, "volume", own),
  "volume-fork": rule(volumeFork, "volume", both),
  "volume-restore": rule(volumeRestore, "volume", own),
  "volume-rm": rule(volumeRm, "volume", own),
  "volume-run": rule(volumeRun, "run", own),
  "volume-snapshot": rule(volumeSnapshot, "volume", own),
  "volume-prune": rule(volumePrune, "volume", own),
  "volume-standby-add": rule(volumeStandbyAdd, "volume", own),
  "volume-standby-rm": rule(volumeStandbyRm, "volume", own),
  "volume-standby-sync": rule(volumeStandbySync, "volume", own),
  "backup-run": rule(backupRun, "backup", own),
  "backup-verify": rule(backupVerify, "backup", own),
  "backup-restore": rule(backupRestore, "backup", ({ namespace, target }) => ({
    in: [namespace, target.namespace],
  })),
  "backup-prune": NEVER,
  "backup-repository-add": NEVER,
  "backup-repository-rm": NEVER,
  "cert-import": NEVER,
  "cert-issue": NEVER,
  "cert-rm": NEVER,
  evacuate: NEVER,
  "image-distribute": NEVER,
  "image-prune": NEVER,
  "image-rm": NEVER,
  "machine-activate": NEVER,
  "machine-add": NEVER,
  "machine-drain": NEVER,
  "machine-join": NEVER,
  "machine-label": NEVER,
  "machine-rm": NEVER,
  "machine-standby": NEVER,
  "machine-update": NEVER,
  "namespace-prune": NEVER,
  "namespace-repair": NEVER,
  "schedule-add": NEVER,
  "schedule-rm": NEVER,
  "store-backup": NEVER,
  // Only as the end of an upload, which names the file.
  "volume-import": NEVER,
  "volume-keep": NEVER,
};

/** What an operation with this input demands. @throws PloyzError `invalid_input`. */
export function inputDemand(primitive: string, input: unknown): Demand {
  const rules: Readonly<Record<string, Rule>> = INPUTS;
  const found = Object.hasOwn(rules, primitive) ? rules[primitive] : undefined;
  const what = primitive.slice(0, 60);
  return found === undefined ? { what, allow: "never" } : { what, ...found(input) };
}
