import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "../cluster.ts";
import { ledgerBundles, ledgerManifest } from "../ledger.ts";
import { watchWriters } from "../writers.ts";
import { collect } from "./collector.ts";
import { ANY, follow, launch, type Word } from "./commands.ts";
import { endAll, suffer } from "./faults.ts";
import { planRound, type Shape, tell } from "./plan.ts";
import { atRest, history } from "./rest.ts";
import { lies, type Truth, truthOf } from "./truth.ts";

export interface Rounds extends AsyncDisposable {
  /** Runs one round, and resolves with the violations of it. */
  round(number: number): Promise<readonly string[]>;
}

/** Looks for writers less often than a single scene does: rounds last minutes. */
const WATCH_MS = 60;

interface Kept {
  readonly name: string;
  /** Before the snapshot was taken. */
  readonly at: number;
}

export async function rounds(
  cluster: Cluster,
  { seed, shape }: { readonly seed: number; readonly shape: Shape },
): Promise<Rounds> {
  for (const version of ["v1", "v2"])
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, ledgerManifest({ version }), ledgerBundles)]);
  const collector = collect(cluster);
  const snapshots: Kept[] = [];

  async function round(number: number): Promise<readonly string[]> {
    const plan = planRound(seed, number, shape);
    const label = `seed ${seed} round ${number}`;
    console.log([label, ...tell(plan)].join("\n  "));
    await using watch = watchWriters(cluster, "prod", WATCH_MS);
    await using watchBranch = watchWriters(cluster, "pr", WATCH_MS);
    const known = snapshots.map(({ name }) => name);
    const launched = plan.commands.map((command) => launch(cluster, command, known));
    const [first = Promise.resolve(undefined)] = launched;
    const suffering = plan.faults.map((fault) =>
      suffer(
        cluster,
        fault,
        first.then((it) => it?.running),
      ),
    );
    const violations: string[] = [];
    const following = plan.commands.map(async (command, index) => {
      const it = await launched[index];
      return it === undefined ? undefined : follow(cluster, command, it);
    });
    const words: Word[] = [];
    for (const end of await Promise.allSettled(following)) {
      if (end.status === "rejected") violations.push(String(end.reason));
      else if (end.value !== undefined) words.push(end.value);
    }
    console.log(
      [
        ...words.map(
          ({ line, exitCode, document, startedAt, endedAt }) =>
            `${line}: ${exitCode ?? "cut off"} after ${endedAt - startedAt} ms ${document?.error?.code ?? document?.state ?? ""}`,
        ),
        ...(await Promise.all(suffering)).map(
          (what, index) => `fault ${plan.faults[index]?.harm.kind}: ${what}`,
        ),
      ].join("\n  "),
    );
    await endAll(cluster);
    const truths = new Map<Word, Truth>();
    violations.push(...(await restAndForget(words, truths)));
    for (const word of words) {
      const truth = truths.get(word) ?? (await truthOf(cluster, word));
      violations.push(...lies(word, truth));
      const { deed } = word.command;
      if (deed.kind === "snapshot" && truth.committed)
        snapshots.push({ name: deed.name, at: word.startedAt });
    }
    for (const clash of [...(await watch.end()), ...(await watchBranch.end())].slice(0, 3))
      violations.push(`two writers: ${clash}`);
    const { longestMs, failures } = collector.outage();
    console.log(
      `${label}: ${violations.length} violations, ${collector.expected().length} rows, longest gap ${longestMs} ms, failures ${JSON.stringify(failures)}`,
    );
    if (violations.length > 0) await record(cluster, label, violations);
    await activateAll(cluster);
    return violations.map((line) => `${label}: ${line}`);
  }

  /** Rows of the time that a restored volume does not know are not expected any more: before they are looked for. */
  async function restAndForget(words: readonly Word[], truths: Map<Word, Truth>): Promise<readonly string[]> {
    const replacing = words.filter(({ command: { deed } }) =>
      ["restore", "rollback-data"].includes(deed.kind),
    );
    // Their outcome may still change until operations have ended, and rows are looked at only after that.
    const forget = async () => {
      for (const word of replacing) {
        const truth = await truthOf(cluster, word);
        truths.set(word, truth);
        if (!truth.committed) continue;
        collector.forget(await since(word), Date.now());
      }
    };
    return atRest(cluster, collector, forget);
  }

  async function since(word: Word): Promise<number> {
    const snapshot = /volume restore prod\/data (\S+)/.exec(word.line)?.[1];
    if (snapshot !== undefined) return snapshots.find(({ name }) => name === snapshot)?.at ?? 0;
    const commits = await history(cluster);
    const own = commits.findIndex(({ operation }) => operation === word.operation);
    const replaced = commits[own + 1]?.operation;
    if (replaced === undefined) return 0;
    const { stdout } = await cluster.ctl(1, ["ops", "show", replaced, "--json"]);
    return Date.parse((JSON.parse(stdout) as { summary: { startedAt: string } }).summary.startedAt);
  }

  return { round, [Symbol.asyncDispose]: () => collector[Symbol.asyncDispose]() };
}

/** A machine that was drained takes work again, so that rounds do not run out of machines. */
async function activateAll(cluster: Cluster): Promise<void> {
  for (const machine of cluster.lab.addresses.map((_, index) => index + 1))
    await cluster.ctl(1, ["machine", "activate", `m${machine}`], { ok: ANY });
}

/** With PLOYZ_RECORDS, writes what explains a violation below that folder. */
async function record(cluster: Cluster, label: string, violations: readonly string[]): Promise<void> {
  const folder = process.env.PLOYZ_RECORDS;
  console.log(violations.join("\n"));
  if (folder === undefined) return;
  const into = join(folder, label.replaceAll(" ", "-"));
  await mkdir(into, { recursive: true });
  await writeFile(join(into, "violations.txt"), violations.join("\n"));
  const look = async (name: string, args: readonly string[]) => {
    const { stdout, stderr } = await cluster
      .ctl(1, args, { ok: ANY })
      .catch((error) => ({ stdout: "", stderr: String(error) }));
    await writeFile(join(into, name), stdout + stderr);
  };
  await look("status.txt", ["status"]);
  await look("ps.txt", ["ps"]);
  await look("gateways.json", ["gateway", "show", "--json"]);
  await look("ops.txt", ["ops", "ls", "--limit", "30"]);
  const operations = await cluster
    .json<{ operations: readonly { operation: string }[] }>(1, ["ops", "ls", "--limit", "8"])
    .catch(() => ({ operations: [] }));
  for (const { operation } of operations.operations)
    await look(`op-${operation}.txt`, ["ops", "show", operation]);
  for (const machine of cluster.lab.addresses.map((_, index) => index + 1)) {
    const { stdout } = await cluster.lab
      .sh(machine, ["sh", "-c", "tail -n 400 /var/lib/ployz/logs/services/*/current"])
      .catch((error) => ({ stdout: String(error) }));
    await writeFile(join(into, `m${machine}.log`), stdout);
  }
}
