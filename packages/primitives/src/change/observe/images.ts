import { errorBody } from "@ployz/errors";
import { ask, LOOK, type Machines } from "../../ports/machines.ts";
import type { Found, MachineFact } from "./facts.ts";
import { type Answer, SILENT } from "./missing.ts";

/** A registry may be slow; two machines at most query it. */
const REGISTRY_MS = 30_000;
const REGISTRY_TRIES = 2;

type Lookup = { readonly machines: Machines; readonly signal: AbortSignal };

/** When to query the registry for a tag. `committed`: the digest of the last commit stays, whatever the tag means now. */
export type Pull = "missing" | "always" | "committed";

type Resolve = (
  machine: string,
  mode: "never" | "missing" | "always",
  what: { readonly ref: string; readonly name?: string },
) => Promise<Answer>;
type Search = { readonly hosts: readonly string[]; readonly resolve: Resolve };

/**
 * Resolves each reference to a digest; pulls nothing. A tag means the digest that machines have: the newest one where they know when they got it, else
 * the one digest that is not committed, since it was built after the commit. The registry is queried only when no machine has it.
 */
export async function findImages(
  refs: readonly string[],
  answering: readonly MachineFact[],
  committed: ReadonlyMap<string, string>,
  lookup: Lookup & { readonly pull: Pull },
): Promise<ReadonlyMap<string, Found>> {
  const search = searchOf(answering, lookup);
  const found = refs.map(
    async (ref): Promise<[string, Found]> => [
      ref,
      await findTag(ref, committed.get(ref), lookup.pull, search),
    ],
  );
  return new Map(await Promise.all(found));
}

/** The same for one image, with the machines to ask and those that cannot be asked; `never`: its registry is not queried. */
export async function findImage(
  ref: string,
  hosts: readonly string[],
  {
    pull,
    silent,
    ...lookup
  }: Lookup & { readonly pull: "never" | "always"; readonly silent: readonly string[] },
): Promise<Found> {
  const found = await findTag(ref, undefined, pull, { hosts, resolve: resolveWith(lookup) });
  const unasked = silent.map((machine): Answer => ({ machine, reason: SILENT }));
  return found.digest === undefined ? { ...found, tried: [...found.tried, ...unasked] } : found;
}

/** The machines that have committed images, by digest, or whose registry has them under the committed name. */
export async function findDigests(
  images: ReadonlyMap<string, string>,
  answering: readonly MachineFact[],
  lookup: Lookup,
): Promise<ReadonlyMap<string, Found>> {
  const search = searchOf(answering, lookup);
  const found = [...images].map(
    async ([digest, name]): Promise<[string, Found]> => [digest, await findDigest(digest, name, search)],
  );
  return new Map(await Promise.all(found));
}

const searchOf = (answering: readonly MachineFact[], lookup: Lookup): Search => ({
  hosts: answering
    .filter(({ observation }) => observation?.runtime === "docker" || observation?.images === true)
    .map(({ record }) => record.id),
  resolve: resolveWith(lookup),
});

const resolveWith =
  ({ machines, signal }: Lookup): Resolve =>
  async (machine, mode, what) => {
    try {
      const limits = mode === "never" ? LOOK : { timeoutMs: REGISTRY_MS };
      const args = { ...what, pull: mode };
      const image = await ask(() => machines.call(machine, "image.resolve", args, { ...limits, signal }));
      if (image === null) return { machine, reason: mode === "never" ? "not there" : "not in the registry" };
      return {
        ...{ machine, digest: image.digest, reason: "" },
        ...(image.at !== undefined && { at: image.at }),
        ...(image.arch !== undefined && { arch: image.arch }),
      };
    } catch (error) {
      signal.throwIfAborted();
      const { code, message, hint } = errorBody(error);
      return { machine, reason: message, code, ...(hint !== undefined && { hint }) };
    }
  };

async function findTag(
  ref: string,
  committed: string | undefined,
  pull: Pull | "never",
  search: Search,
): Promise<Found> {
  const { hosts, resolve } = search;
  if (pull === "committed" && committed !== undefined) return findDigest(committed, ref, search);
  const fresh =
    pull === "always" && !ref.includes("@") ? await fromRegistry({ ref }, "always", search) : NOT_TRIED;
  if (fresh.digest !== undefined) return fresh;
  const answers = await Promise.all(hosts.map((machine) => resolve(machine, "never", { ref })));
  const has = answers.filter(({ digest }) => digest !== undefined);
  const tried = [...fresh.tried, ...answers.filter(({ digest }) => digest === undefined)];
  const meanings = [...new Set(has.map(({ digest }) => digest))];
  const news = meanings.length > 1 ? meanings.filter((digest) => digest !== committed) : meanings;
  const digest = newest(has) ?? (news.length > 1 ? newest(has, news) : news[0]);
  if (digest === undefined && news.length > 1)
    return {
      holders: [],
      tried,
      ambiguous: has.map((one) => ({ machine: one.machine, digest: one.digest ?? "" })),
    };
  if (digest === undefined && pull === "never") return { holders: [], tried };
  if (digest === undefined) {
    const queried = await fromRegistry({ ref }, "missing", search);
    if (queried.digest !== undefined || committed === undefined)
      return { ...queried, tried: [...tried, ...queried.tried] };
    return { ...(await withoutTag(ref, committed, search)), tried: [...tried, ...queried.tried] };
  }
  const { at, arch } = has.find((one) => one.digest === digest) ?? {};
  return {
    digest,
    ...(arch !== undefined && { arch }),
    holders: has.filter((holder) => holder.digest === digest).map(({ machine }) => machine),
    tried,
    ...(at !== undefined && { at }),
    ...(meanings.length > 1 && {
      warning: `image ${ref} differs between machines; using ${at === undefined ? "the digest that is new since the last commit" : "the newest one"}: ${digest}`,
    }),
  };
}

/** Of the first answer that knows it. */
function archOf(answers: readonly Answer[]): { readonly arch?: string } {
  const arch = answers.find((one) => one.arch !== undefined)?.arch;
  return arch === undefined ? {} : { arch };
}

const NOT_TRIED: Found = { holders: [], tried: [] };

/** The digest that a name got last, if every machine knows when. */
function newest(answers: readonly Answer[], among?: readonly (string | undefined)[]): string | undefined {
  const asked = among === undefined ? answers : answers.filter(({ digest }) => among.includes(digest));
  if (asked.some(({ at }) => at === undefined)) return undefined;
  return [...asked].sort((left, right) => ((left.at ?? "") < (right.at ?? "") ? 1 : -1))[0]?.digest;
}

/** No machine and no registry knows the name any more: the committed digest is used if a machine has it. */
async function withoutTag(ref: string, committed: string, { hosts, resolve }: Search): Promise<Found> {
  const answers = await Promise.all(hosts.map((machine) => resolve(machine, "never", { ref: committed })));
  const holders = answers.flatMap(({ machine, digest }) => (digest === undefined ? [] : [machine]));
  return {
    ...{ digest: committed, holders, tried: [], ...archOf(answers) },
    ...(holders.length > 0 && {
      warning: `image ${ref} cannot be resolved; using the committed digest ${committed}`,
    }),
  };
}

async function findDigest(digest: string, name: string, search: Search): Promise<Found> {
  const { hosts, resolve } = search;
  const answers = await Promise.all(hosts.map((machine) => resolve(machine, "never", { ref: digest })));
  const holders = answers.flatMap((one) => (one.digest === undefined ? [] : [one.machine]));
  const tried = answers.filter((one) => one.digest === undefined);
  if (holders.length > 0) return { digest, holders, tried, ...archOf(answers) };
  const queried = await fromRegistry({ ref: digest, name }, "missing", search);
  return { ...queried, digest, tried: [...tried, ...queried.tried] };
}

async function fromRegistry(
  what: { readonly ref: string; readonly name?: string },
  mode: "missing" | "always",
  { hosts, resolve }: Search,
): Promise<Found> {
  const tried: Answer[] = [];
  for (const machine of hosts.slice(0, REGISTRY_TRIES)) {
    const answer = await resolve(machine, mode, what);
    if (answer.digest !== undefined) {
      const at = answer.at === undefined || what.name !== undefined ? {} : { at: answer.at };
      return { digest: answer.digest, holders: [machine], tried, registry: true, ...at, ...archOf([answer]) };
    }
    tried.push(answer);
  }
  return { holders: [], tried };
}

export async function findBundles(
  digests: readonly string[],
  answering: readonly MachineFact[],
  { machines, signal }: Lookup,
): Promise<ReadonlyMap<string, Found>> {
  const found = digests.map(async (digest): Promise<[string, Found]> => {
    const answers = await Promise.all(
      answering.map(async ({ record: { id: machine } }) => {
        try {
          const options = { ...LOOK, signal };
          const bundle = await ask(() => machines.call(machine, "bundle.resolve", { digest }, options));
          return { machine, has: bundle !== null, reason: "not there" };
        } catch (error) {
          signal.throwIfAborted();
          return { machine, has: false, reason: errorBody(error).message };
        }
      }),
    );
    return [
      digest,
      {
        digest,
        holders: answers.filter(({ has }) => has).map(({ machine }) => machine),
        tried: answers.filter(({ has }) => !has).map(({ machine, reason }) => ({ machine, reason })),
      },
    ];
  });
  return new Map(await Promise.all(found));
}
