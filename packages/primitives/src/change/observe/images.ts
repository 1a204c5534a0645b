import { errorBody } from "@ployz/errors";
import type { Refusal } from "../../engine/types.ts";
import { ask, LOOK, type Machines } from "../../ports/machines.ts";
import type { Found, MachineFact } from "./facts.ts";

/** A registry may be slow; two machines at most query it. */
const REGISTRY_MS = 30_000;
const REGISTRY_TRIES = 2;

type Lookup = { readonly machines: Machines; readonly signal: AbortSignal };

/**
 * Resolves each reference. A tag means the digest that machines have; where they differ, the one digest that is not committed wins,
 * since it was built or pulled after the commit. The registry is queried only when no machine has it.
 */
export async function findImages(
  refs: readonly string[],
  answering: readonly MachineFact[],
  committed: ReadonlyMap<string, string>,
  lookup: Lookup & { readonly pull: "missing" | "always" },
): Promise<ReadonlyMap<string, Found>> {
  const hosts = answering
    .filter(({ observation }) => observation?.runtime === "docker")
    .map(({ record }) => record.id);
  const found = refs.map(
    async (ref): Promise<[string, Found]> => [ref, await findImage(ref, hosts, committed.get(ref), lookup)],
  );
  return new Map(await Promise.all(found));
}

async function findImage(
  ref: string,
  hosts: readonly string[],
  committed: string | undefined,
  { machines, signal, pull }: Lookup & { readonly pull: "missing" | "always" },
): Promise<Found> {
  const resolve = async (machine: string, mode: "never" | "missing" | "always") => {
    try {
      const limits = mode === "never" ? LOOK : { timeoutMs: REGISTRY_MS };
      const args = { ref, pull: mode };
      const image = await ask(() => machines.call(machine, "image.resolve", args, { ...limits, signal }));
      return {
        machine,
        digest: image?.digest,
        reason: mode === "never" ? "not there" : "not in the registry",
      };
    } catch (error) {
      signal.throwIfAborted();
      return { machine, digest: undefined, reason: errorBody(error).message };
    }
  };
  const tried: { machine: string; reason: string }[] = [];
  const fromRegistry = async (mode: "missing" | "always"): Promise<Found | undefined> => {
    for (const machine of hosts.slice(0, REGISTRY_TRIES)) {
      const { digest, reason } = await resolve(machine, mode);
      if (digest !== undefined) return { digest, holders: [machine], tried };
      tried.push({ machine, reason });
    }
    return undefined;
  };

  const fresh = pull === "always" && !ref.includes("@") ? await fromRegistry("always") : undefined;
  if (fresh) return fresh;
  const answers = await Promise.all(hosts.map((machine) => resolve(machine, "never")));
  const has = answers.flatMap(({ machine, digest }) => (digest === undefined ? [] : [{ machine, digest }]));
  tried.push(
    ...answers
      .filter(({ digest }) => digest === undefined)
      .map(({ machine, reason }) => ({ machine, reason })),
  );
  const meanings = [...new Set(has.map(({ digest }) => digest))];
  const news = meanings.length > 1 ? meanings.filter((digest) => digest !== committed) : meanings;
  const [digest] = news;
  if (digest === undefined)
    return (await fromRegistry("missing")) ?? { ...(committed && { digest: committed }), holders: [], tried };
  if (news.length > 1) return { holders: [], tried, ambiguous: has };
  return {
    digest,
    holders: has.filter((holder) => holder.digest === digest).map(({ machine }) => machine),
    tried,
    ...(meanings.length > 1 && {
      warning: `image ${ref} differs between machines; using the digest that is new since the last commit: ${digest}`,
    }),
  };
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

export function missingImage(field: string, ref: string, found: Found | undefined): Refusal {
  if (found?.ambiguous) {
    const where = found.ambiguous.map(({ machine, digest }) => `${machine} has ${digest}`).join("; ");
    return {
      code: "image_ambiguous",
      message: `${field}: ${ref} means different images: ${where}`,
      hint: "name it by digest, or give the build a tag of its own",
    };
  }
  const tried = found?.tried ?? [];
  const where = tried.map(({ machine, reason }) => `${machine}: ${reason}`).join("; ");
  return {
    code: "image_missing",
    message: `${field}: ${ref}: not found on any machine or in its registry (${where || "no machine that runs Docker answers"})`,
    hint:
      tried.length === 0
        ? "an image needs a machine with Docker (ployzctl machine ls shows the runtimes); a bundle runs on the others"
        : "check the name, or load the image on one of the machines",
    details: { ref, tried: tried.map(({ machine, reason }) => ({ machine, reason })) },
  };
}

export function missingBundle(field: string, digest: string): Refusal {
  return {
    code: "bundle_missing",
    message: `${field}: no machine that answers has the bundle ${digest}`,
    hint: "deploy from its manifest, which uploads the bundle, or bring back a machine that has it (ployzctl machine ls)",
  };
}
