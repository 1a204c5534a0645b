import type { Basis, Refusal } from "../../engine/types.ts";
import { checkProgram } from "../../manifest/bounds.ts";
import type {
  Commit,
  EnvValue,
  Instance,
  JobSpec,
  RouteSpec,
  SecretRef,
  ServiceSpec,
} from "../../model/commit.ts";
import { fieldPath } from "../../model/field.ts";
import { own } from "../../model/own.ts";
import { routeKey } from "../../model/route-place.ts";
import { type SecretRecord, secretKey } from "../../model/secret.ts";
import type { InstanceStart } from "../../participant/commands.ts";
import type { ChangeFacts, SecretFact } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";

export type Secrets = NonNullable<Instance["secrets"]>;

/** The present secrets of a namespace. */
export type SecretScope = {
  /** By variable or path of a file; missing ones are left out. */
  of(spec: ServiceSpec | JobSpec): Secrets;
  /** One for each that is missing; else one if command and environment are too large with their values. `at`: `services.web`. */
  refuse(at: string, spec: ServiceSpec | JobSpec): readonly Refusal[];
  /** One for each route whose users are no secret, or none of it. `had`: routes that are committed so already. */
  refuseUsers(at: string, routes: readonly RouteSpec[], had: readonly RouteSpec[]): readonly Refusal[];
  /** The revisions that the plan depends on. */
  basis(secrets: readonly Secrets[]): readonly Basis[];
};

/** A branch looks for a secret in itself, then in its source, then in the source's source. */
export function secretScope(
  { namespace, branchedFrom }: Pick<Desired, "namespace" | "branchedFrom">,
  { head, others, secrets }: Pick<ChangeFacts, "head" | "others" | "secrets">,
): SecretScope {
  const commits = [...others, ...(head ? [head] : [])].map(({ commit }) => commit);
  const chain = lineageOf(namespace, commits, branchedFrom);
  const find = (name: string) => findSecret(name, chain, secrets);
  return {
    of: (spec) =>
      Object.fromEntries(
        secretsIn(spec).flatMap(([variable, name]): [string, SecretRef][] => {
          const { found } = find(name);
          if (found === undefined) return [];
          const { namespace: owner, version } = found.record;
          return [[variable, { namespace: owner, name, version }]];
        }),
      ),
    refuse: (at, spec) => {
      const sizes = new Map<string, number>();
      const missing = secretsIn(spec).flatMap(([variable, name]): Refusal[] => {
        const { found, withheld } = find(name);
        sizes.set(variable, found?.record.bytes ?? 0);
        if (found !== undefined) return [];
        const why =
          withheld === undefined
            ? `${namespace} has no secret ${name}`
            : `${namespace} has no secret ${name}, and ${withheld} does not give its own to branches`;
        return [
          {
            code: "secret_missing",
            message: `${fieldPath([...at.split("."), ...fieldOf(variable)])}: ${why}`,
            hint: `ployzctl secret set ${namespace}/${name} reads it from stdin`,
          },
        ];
      });
      if (missing.length > 0) return missing;
      const { memoryBytes } = spec.resources ?? {};
      return checkProgram(at.split("."), {
        command: [...(spec.entrypoint ?? []), ...(spec.command ?? [])],
        env: spec.env,
        secrets: Object.fromEntries(sizes),
        ...(memoryBytes !== undefined && { memoryBytes }),
      });
    },
    refuseUsers: (at, routes, had) =>
      routes.flatMap((route): Refusal[] => {
        const name = route.kind === "http" ? route.options?.basicAuth?.secret : undefined;
        if (route.kind !== "http" || name === undefined) return [];
        const same = had.find((one) => one.kind === "http" && routeKey(one) === routeKey(route));
        if (same?.kind === "http" && same.options?.basicAuth?.secret === name) return [];
        const { found } = find(name);
        const field = `${at}.routes: basic_auth of ${route.host}${route.path}`;
        const hint = `ployzctl secret set ${namespace}/${name} reads lines name:hash from stdin; htpasswd -nB NAME writes one`;
        if (found === undefined)
          return [{ code: "secret_missing", message: `${field}: ${namespace} has no secret ${name}`, hint }];
        return found.record.users === undefined
          ? [{ code: "secret_without_users", message: `${field}: secret ${name} is no list of users`, hint }]
          : [];
      }),
    basis: (used) => {
      const keys = new Set(used.flatMap((one) => Object.values(one).map(secretKey)));
      return secrets.flatMap(({ record, revision }) =>
        keys.has(secretKey(record)) ? [{ key: `fact.${secretKey(record)}`, revision }] : [],
      );
    },
  };
}

/** Whether both name the same versions of the same secrets. */
export const sameSecrets = (left: Secrets = {}, right: Secrets = {}): boolean => {
  const variables = Object.keys(left);
  return (
    variables.length === Object.keys(right).length &&
    variables.every((variable) => {
      const [one, other] = [own(left, variable), own(right, variable)];
      return (
        one?.namespace === other?.namespace && one?.name === other?.name && one?.version === other?.version
      );
    })
  );
};

type Program = Pick<ServiceSpec, "env" | "files">;

/** Variables and paths of files whose value is a secret's, with its name. A path starts with a slash, a variable never does. */
export const secretsIn = ({ env, files = {} }: Program): readonly (readonly [string, string])[] =>
  [...Object.entries(env), ...Object.entries(files)].flatMap(([place, value]) =>
    typeof value === "object" && "secret" in value ? [[place, value.secret] as const] : [],
  );

const fieldOf = (place: string): readonly string[] =>
  place.startsWith("/") ? ["files", place] : ["env", place];

/** Variables with a plain value. */
const plainEnv = (env: Readonly<Record<string, EnvValue>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([variable, value]) =>
      typeof value === "string" ? [[variable, value]] : [],
    ),
  );

/** Services and jobs (`prod/web`) that receive a secret at their next start. */
export function secretUsers(
  { namespace, name }: Pick<SecretRecord, "namespace" | "name">,
  commits: readonly Commit[],
  secrets: readonly SecretFact[],
): readonly string[] {
  const live = commits.filter(({ removed }) => removed !== true);
  return live
    .flatMap((commit) => {
      const chain = lineageOf(commit.namespace, commits, commit.branchedFrom);
      const { found } = findSecret(name, chain, secrets);
      if (found?.record.namespace !== namespace) return [];
      const routed = commit.routes.flatMap((route) => (usersOf(route) === name ? [route.service] : []));
      return Object.entries({ ...commit.services, ...commit.jobs }).flatMap(([workload, { spec }]) =>
        routed.includes(workload) || secretsIn(spec).some(([, used]) => used === name)
          ? [`${commit.namespace}/${workload}`]
          : [],
      );
    })
    .sort();
}

/** The name of the secret with the users of a route. */
const usersOf = (route: RouteSpec): string | undefined =>
  route.kind === "http" ? route.options?.basicAuth?.secret : undefined;

/** The secrets with the users of all routes, each with the namespace whose routes use it; without `ref` where there is none. */
export function routeUsers(
  commits: readonly Commit[],
  secrets: readonly SecretFact[],
): readonly { readonly namespace: string; readonly name: string; readonly ref?: SecretRef }[] {
  return commits.flatMap((commit) => {
    const chain = lineageOf(commit.namespace, commits, commit.branchedFrom);
    return [...new Set(commit.routes.flatMap((route) => usersOf(route) ?? []))].flatMap((name) => {
      const record = findSecret(name, chain, secrets).found?.record;
      const ref = record && { namespace: record.namespace, name, version: record.version };
      return [{ namespace: commit.namespace, name, ...(ref && { ref }) }];
    });
  });
}

/** The namespace itself, then its `origin`, then the origin's source, and so on. */
function lineageOf(
  namespace: string,
  commits: readonly Commit[],
  origin: string | undefined,
): readonly string[] {
  const chain = [namespace];
  for (let next = origin; next !== undefined && !chain.includes(next); ) {
    chain.push(next);
    const current = next;
    next = commits.find((commit) => commit.namespace === current)?.branchedFrom;
  }
  return chain;
}

function findSecret(
  name: string,
  chain: readonly string[],
  secrets: readonly SecretFact[],
): { readonly found?: SecretFact; readonly withheld?: string } {
  let withheld: string | undefined;
  for (const [index, namespace] of chain.entries()) {
    const one = secrets.find(({ record }) => record.namespace === namespace && record.name === name);
    if (one === undefined) continue;
    if (index === 0 || one.record.private !== true) return { found: one };
    withheld = namespace;
    break; // a secret further up the chain is another one
  }
  return withheld === undefined ? {} : { withheld };
}

/** The part of a spec that becomes the program of an instance. */
export const programIn = ({
  entrypoint,
  command,
  env,
  files,
}: Pick<ServiceSpec, "entrypoint" | "command" | "env" | "files">): Pick<
  InstanceStart,
  "entrypoint" | "command" | "env" | "files"
> => ({
  ...(entrypoint !== undefined && { entrypoint }),
  ...(command !== undefined && { command }),
  env: plainEnv(env),
  ...(files !== undefined && { files }),
});
