import { isDeepStrictEqual } from "node:util";
import type { Head } from "../change/observe/facts.ts";
import type { Refusal } from "../engine/types.ts";
import { instanceRevision, specRevision } from "../manifest/revision.ts";
import { canariesIn, canaryName } from "../model/canary.ts";
import type { Canary, Commit, CommittedService, ServiceSpec, VolumeSpec } from "../model/commit.ts";
import { own } from "../model/own.ts";
import { NAME } from "../model/patterns.ts";

type Services = Readonly<Record<string, CommittedService>>;
type Volumes = Readonly<Record<string, Pick<VolumeSpec, "scope">>>;

/** While one runs, no other deploy may rest on either of the two versions. */
export function refuseCanaries(head: Head | undefined): readonly Refusal[] {
  const { namespace = "", services = {} } = head?.commit ?? {};
  return canariesIn(services).map((name) => refuseCanary(namespace, name, services[name]?.canary));
}

function refuseCanary(namespace: string, name: string, running: Canary | undefined): Refusal {
  const target = `${namespace}/${running?.of}`;
  return {
    code: "canary_running",
    message: `${namespace}/${name} gets ${running?.share}% of the requests of ${target}`,
    hint: `end it first: ployzctl canary finish ${target}, or ployzctl canary undo ${target}`,
  };
}

/**
 * The services of a manifest, with a canary beside each service that would get other instances: that service stays as it is, and so do its
 * routes. Services whose instances stay are changed as in any deploy.
 */
export function withCanaries(
  { services: wanted, volumes }: { readonly services: Services; readonly volumes: Volumes },
  share: number,
  head: Head | undefined,
): { readonly services: Services; readonly refusals: readonly Refusal[] } {
  const refusals: Refusal[] = [];
  const refuse = (name: string, why: string, hint: string) =>
    refusals.push({ code: "canary_refused", message: `services.${name}: ${why}`, hint });
  const committed = head?.commit.services ?? {};
  const services: Record<string, CommittedService> = {};
  for (const [name, next] of Object.entries(wanted)) {
    const before = own(committed, name);
    if (before === undefined) {
      refuse(
        name,
        "is new: there is no version that could serve beside it",
        "deploy it without --canary first",
      );
      continue;
    }
    const made = canary(name, next.spec, { share, beside: instancesOf(head?.commit, name) });
    const running = own(committed, canaryName(name));
    if (running?.canary?.of === name) {
      // The same command again: it has just been done.
      if (running.revision !== made.revision || !isDeepStrictEqual(running.canary, made.canary))
        refusals.push(refuseCanary(head?.commit.namespace ?? "", canaryName(name), running.canary));
      services[name] = before;
      services[canaryName(name)] = running;
      continue;
    }
    if (instanceRevision(before.spec) === instanceRevision(next.spec)) {
      services[name] = next;
      continue;
    }
    const why = head && whyNot(name, { before, next, wanted, volumes, commit: head.commit });
    if (why) refuse(name, why.why, why.hint);
    services[name] = before;
    services[canaryName(name)] = made;
  }
  for (const [name, { canary: running }] of Object.entries(committed))
    if (running === undefined && !Object.hasOwn(wanted, name))
      refuse(name, "is left out: a canary removes nothing", "deploy without --canary to remove it");
  const begun = Object.values(services).some((one) => one.canary !== undefined);
  if (!begun && refusals.length === 0)
    refusals.push({
      code: "canary_refused",
      message: "no service would get other instances: there is nothing to try",
      hint: "deploy without --canary",
    });
  return { services, refusals };
}

const instancesOf = (commit: Commit | undefined, name: string): number =>
  commit?.instances.filter(({ service }) => service === name).length ?? 0;

/** As many instances as its share of the present ones, at least one. */
function canary(
  of: string,
  { routes, placement, ...spec }: ServiceSpec,
  { share, beside }: { readonly share: number; readonly beside: number },
): CommittedService {
  const count = Math.max(1, Math.ceil((beside * share) / 100));
  const spread = placement.kind === "replicas" && placement.spread ? { spread: placement.spread } : {};
  const own: ServiceSpec = { ...spec, routes: [], placement: { kind: "replicas", count, ...spread } };
  return { revision: specRevision(own), spec: own, canary: { of, share, placement, routes } };
}

interface Pair {
  readonly before: CommittedService;
  readonly next: CommittedService;
  readonly wanted: Services;
  readonly volumes: Volumes;
  readonly commit: Commit;
}

function whyNot(
  name: string,
  { before, next, wanted, volumes, commit }: Pair,
): { readonly why: string; readonly hint: string } | undefined {
  const plain = "deploy without --canary";
  const canaried = canaryName(name);
  const single = Object.keys(next.spec.volumes).find((volume) => volumes[volume]?.scope !== "shared");
  const served = before.spec.routes.flatMap(({ port }) => (port === undefined ? [] : [port]));
  const lost = served.find((port) => !Object.hasOwn(next.spec.ports, port));
  if (single !== undefined) return { why: `volume ${single} has a single writer`, hint: plain };
  if (next.spec.hostPorts !== undefined)
    return { why: "has host_ports, which lead to one version only", hint: plain };
  if (served.length === 0) return { why: "has no route whose requests could be shared", hint: plain };
  if (lost !== undefined)
    return { why: `the new version has no port ${lost}, to which a route leads`, hint: plain };
  if (before.stopped || before.suspended || instancesOf(commit, name) === 0)
    return { why: "runs no instance", hint: `start it first: ployzctl start ${commit.namespace}/${name}` };
  if ([wanted, commit.services, commit.jobs].some((table) => Object.hasOwn(table, canaried)))
    return { why: `its canary would be called ${canaried}, as another service or job is`, hint: plain };
  return new RegExp(NAME).test(canaried)
    ? undefined
    : { why: `its canary would be called ${canaried}, which is too long a name`, hint: plain };
}
