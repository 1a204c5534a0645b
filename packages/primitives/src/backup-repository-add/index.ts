import { answering, type Look, look, lookProblem, noRestic, repositoryAt } from "../backups/observe.ts";
import { open, type RepositoryKinds } from "../backups/steps.ts";
import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import {
  type BackupRepository,
  type RepositoryAt,
  repositoryKey,
  repositoryUrlProblem,
} from "../model/backup.ts";
import { invalid } from "../model/field.ts";
import type { Json } from "../model/json.ts";
import { secretKey } from "../model/secret.ts";
import { type BackupRepositoryAddInput, Input } from "./input.ts";

type Facts = {
  readonly present?: BackupRepository;
  readonly revision: number;
  readonly secret: boolean;
  /** Of machines in turn, up to the first that has restic. */
  readonly looks: readonly Look[];
};

const shape = inputParser(Input);

const wanted = ({ name, url, secret }: BackupRepositoryAddInput): RepositoryAt => {
  const [namespace = "", key = ""] = secret.split("/");
  return { name, url, secret: { namespace, name: key } };
};

/** Names a place outside the cluster for backups, and makes a repository of restic there unless it is one. */
export const backupRepositoryAdd: Primitive<
  PrimitivePorts,
  BackupRepositoryAddInput,
  Facts,
  RepositoryKinds,
  Json
> = {
  name: "backup-repository-add",
  version: 1,
  parse(raw) {
    const parsed = shape(raw);
    if (!parsed.ok) return parsed;
    const problem = repositoryUrlProblem(parsed.input.url);
    if (problem === undefined) return parsed;
    return { ok: false, refusals: [invalid(["url"], problem.message, problem.hint)] };
  },
  scope: ({ name }) => [`backup-repository.${name}`],
  async observe(input, ports, signal) {
    const repository = wanted(input);
    const [fact, secret, machines] = await Promise.all([
      ports.store.facts.get(repositoryKey(input.name)),
      ports.store.facts.get(secretKey(repository.secret)),
      answering(ports, signal),
    ]);
    const looks: Look[] = [];
    for (const machine of secret === undefined ? [] : machines) {
      const found = await look(machine, repository, ports, signal);
      looks.push(found);
      if (found.found !== undefined && found.found.restic !== null) break;
    }
    return {
      ...(fact !== undefined && { present: fact.value }),
      ...{ revision: fact?.revision ?? 0, secret: secret !== undefined, looks },
    };
  },
  plan(input, facts) {
    const { present, looks } = facts;
    const repository = wanted(input);
    const { name, url } = repository;
    if (present !== undefined && present.removed !== true && present.url !== url)
      return { refusals: [taken(present)] };
    if (!facts.secret) return { refusals: [noSecret(input.secret)] };
    const last = looks.at(-1);
    const machine = last?.machine ?? "";
    const problem =
      last?.found?.restic === null ? noRestic(looks[0]?.machine ?? machine) : lookProblem(last, machine);
    if (problem !== undefined) return { refusals: [problem] };
    const exists = last?.found?.state === "ready";
    const changes = !(
      exists &&
      present !== undefined &&
      present.removed !== true &&
      sameAs(repository, present)
    );
    return {
      basis: [],
      prepare:
        changes && !exists
          ? [
              {
                ...{ id: "open", kind: "backup.open", machine, needs: [] },
                args: { machine, repository },
                title: `create the repository at ${url}, from ${machine}`,
              },
            ]
          : [],
      settle: [],
      summary: {
        kind: "backup-repository-add",
        repository: name,
        url,
        secret: input.secret,
        creates: !exists,
      },
      changes,
      warnings: [],
    };
  },
  steps: { "backup.open": open },
  commit: (input, { revision }, _plan, { operation, at, by }) => ({
    kind: "fact",
    key: repositoryKey(input.name),
    value: { ...repositoryAt(wanted(input)), operation, at, by },
    expected: revision,
  }),
  result: (_input, { summary }) => summary,
};

const sameAs = (wish: RepositoryAt, { url, secret }: BackupRepository): boolean =>
  wish.url === url && secretKey(wish.secret) === secretKey(secret);

const taken = ({ name, url }: BackupRepository): Refusal => ({
  code: "repository_exists",
  message: `the repository ${name} is at ${url}`,
  hint: `choose another name, or remove it first: ployzctl backup repository rm ${name}`,
});

const noSecret = (secret: string): Refusal => ({
  code: "secret_missing",
  message: `secret: there is no secret ${secret}`,
  hint: `set it, from stdin: ployzctl secret set ${secret}`,
  details: { field: "secret" },
});
