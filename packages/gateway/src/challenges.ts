import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "./desired.ts";
import { PloyzError } from "./error-codes.ts";
import type { Worker } from "./worker.ts";

/** Where a certificate authority asks whether a host is ours (RFC 8555, 8.3). */
const PREFIX = "/.well-known/acme-challenge/";
/** Base64url, as RFC 8555 makes tokens; the answer is a token and a hash. */
const TOKEN = /^[A-Za-z0-9_-]{1,200}$/;
const ANSWER = /^[A-Za-z0-9_.-]{1,400}$/;

const file = (dir: string): string => join(dir, "challenges.map");

/** Answered for every host: a token cannot be guessed, and other paths below the prefix go to their route. */
export const challengeAnswer = ({ dir }: Settings): string =>
  `http-request return status 200 content-type text/plain lf-string "%[path,map_str(${file(dir)})]" if { path_beg ${PREFIX} } { path,map_str(${file(dir)}) -m found }`;

/** What a reload loads. */
export async function writeChallenges(dir: string, answers: ReadonlyMap<string, string>): Promise<void> {
  for (const [token, answer] of answers)
    if (!TOKEN.test(token) || !ANSWER.test(answer))
      throw new PloyzError({
        code: "gateway_config_invalid",
        message: "a challenge is not of an ACME server",
      });
  await writeFile(file(dir), linesOf(answers).join(""), { mode: 0o600 });
}

export async function serveChallenges(
  worker: Pick<Worker, "ask">,
  dir: string,
  answers: ReadonlyMap<string, string>,
): Promise<void> {
  await worker.ask(`clear map ${file(dir)}`);
  for (const line of linesOf(answers)) await worker.ask(`add map ${file(dir)} ${line.trimEnd()}`);
}

const linesOf = (answers: ReadonlyMap<string, string>): readonly string[] =>
  [...answers].map(([token, answer]) => `${PREFIX}${token} ${answer}\n`);
