import { createHmac } from "node:crypto";
import type { StreamConfig } from "@nats-io/jetstream";
import { withinDeadline } from "./deadline.ts";
import { bucketSubjects, streams } from "./names.ts";
import type { Session } from "./session.ts";

/**
 * The subjects under which the stream of the secrets takes messages: only holders of the seal key can name them. The server does not check
 * the reply subject of a request against its sender's permissions, and publishes its answer there: any member could have an answer stored
 * as a secret, if the stream took `$KV.ployz_secrets.<key>`.
 */
const intakeOf = (sealKey: string): string => {
  const token = createHmac("sha256", Buffer.from(sealKey, "base64")).update("ployz: intake of secrets");
  return bucketSubjects("secrets").replace(">", `${token.digest("hex").slice(0, 32)}.>`);
};

const configOf = (session: Session): Promise<StreamConfig> =>
  withinDeadline(session, "inspecting the secrets", async ({ jsm }) => {
    return (await jsm.streams.info(streams.secrets)).config;
  });

const takesOnly = (config: StreamConfig, intake: string) => config.subjects.join() === intake;

/**
 * Lets the stream of the secrets take messages through its intake alone; they are stored under their keys. Call it when every store
 * machine's daemon knows the intake: others can then read secrets, but not write them. For store machines.
 */
export async function closeSecrets(
  session: Session,
  sealKey: string,
): Promise<{ readonly changed: boolean }> {
  const intake = intakeOf(sealKey);
  const config = await configOf(session);
  if (takesOnly(config, intake)) return { changed: false };
  await withinDeadline(session, "closing the secrets", ({ jsm }) =>
    jsm.streams.update(streams.secrets, {
      ...config,
      subjects: [intake],
      subject_transform: { src: intake, dest: bucketSubjects("secrets") },
    }),
  );
  return { changed: true };
}

/** Where a secret is published: its intake, or its own subject in a store that is not closed yet. */
export async function secretSubject(session: Session, sealKey: string, subject: string): Promise<string> {
  const intake = intakeOf(sealKey);
  if (!takesOnly(await configOf(session), intake)) return subject;
  return subject.replace(bucketSubjects("secrets").slice(0, -1), intake.slice(0, -1));
}
