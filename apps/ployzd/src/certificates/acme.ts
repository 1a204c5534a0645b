import { Agent } from "node:https";
import { errorBody } from "@ployz/errors";
import acme from "acme-client";
import { PloyzError } from "../error-codes.ts";
import { certificateId, renewalInfoOf } from "./renewal-info.ts";

/** An account at an authority, with its key. */
export interface Account {
  readonly directory: string;
  readonly key: string;
  readonly email?: string;
  /** External account binding (RFC 8555, 7.3.4). */
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
}

/** How challenges are answered: each resolves when an authority would see the answers. */
export interface Solver {
  readonly kind: "http-01" | "dns-01" | "tls-alpn-01";
  present(answers: readonly Answer[]): Promise<void>;
  clear(answers: readonly Answer[]): Promise<void>;
}

export type Answer = {
  readonly host: string;
  readonly token: string;
  readonly text: string;
  /** For TLS-ALPN-01: PEM of a certificate that proves the host, with its key. */
  readonly proof?: string;
};

/** How long is waited between two looks at an order, in ms. */
const [SHORTEST, LONGEST] = [500, 5_000];
const LOOKS = 40;

/** A chain with its key, and where the authority tells when to renew it, if it does. */
export interface Issued {
  readonly chain: string;
  readonly key: string;
  readonly renewalInfo?: string;
}

/**
 * Orders a certificate (RFC 8555): a chain, with a new P-256 key. A refused order leaves no pending authorization. `replaces`: where the authority
 * tells about the certificate before, which may not count against its limits (RFC 9773, 5).
 * @throws PloyzError `certificate_refused` with the authority's reason, `authority_unreachable`.
 */
export async function orderCertificate(
  account: Account,
  names: readonly string[],
  {
    solver,
    roots,
    replaces,
    signal,
    progress,
  }: {
    readonly solver: Solver;
    readonly roots: readonly string[];
    readonly replaces?: string | undefined;
    readonly signal: AbortSignal;
    progress(note: string): void;
  },
): Promise<Issued> {
  const agent = new Agent({ ca: [...roots] });
  Object.assign(acme.axios.defaults, {
    ...{ httpsAgent: agent, timeout: 30_000 },
    acmeSettings: { retryMaxAttempts: 2, retryDefaultDelay: 2 },
  });
  const client = new acme.Client({
    ...{ directoryUrl: account.directory, accountKey: account.key },
    ...{ backoffAttempts: LOOKS, backoffMin: SHORTEST, backoffMax: LONGEST },
    ...(account.eab !== undefined && { externalAccountBinding: account.eab }),
  });
  const at = new URL(account.directory).host;
  const refused = (cause: unknown): unknown => explained(cause, { at, names });
  const step = async <T>(note: string, work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    progress(note);
    try {
      return await orAborted(work(), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw refused(error);
    }
  };
  // acme-client does not say why it has no connection.
  const told = await step(`directory of ${at}`, () => renewalInfoOf(account.directory, { roots, signal }));
  await step(`account at ${at}`, () =>
    client.createAccount({
      termsOfServiceAgreed: true,
      ...(account.email !== undefined && { contact: [`mailto:${account.email}`] }),
    }),
  );
  const before =
    told !== undefined && replaces?.startsWith(`${told}/`) ? replaces.slice(told.length + 1) : "";
  const asked = { identifiers: names.map((value) => ({ type: "dns" as const, value })) };
  const order = await step(`order at ${at}`, () =>
    before === ""
      ? client.createOrder(asked)
      : // One that it does not know, or whose successor it has issued, is no reason to go without a certificate.
        client
          .createOrder({ ...asked, replaces: before } as typeof asked)
          .catch(() => client.createOrder(asked)),
  );
  const pending = (await step(`order at ${at}`, () => client.getAuthorizations(order))).filter(
    ({ status }) => status === "pending",
  );
  const answers: Answer[] = [];
  try {
    const challenges = [];
    for (const authorization of pending) {
      const challenge = authorization.challenges.find(({ type }) => type === solver.kind);
      const host = authorization.identifier.value;
      if (challenge === undefined)
        throw refused(new Error(`it offers no ${solver.kind} challenge for ${host}`));
      const text = await client.getChallengeKeyAuthorization(challenge);
      const proof = solver.kind === "tls-alpn-01" ? await proofOf(authorization, text) : undefined;
      answers.push({ host, token: challenge.token, text, ...(proof !== undefined && { proof }) });
      challenges.push({ host, challenge });
    }
    if (answers.length > 0) {
      progress(`answers for ${at}`);
      await orAborted(solver.present(answers), signal);
    }
    for (const { host, challenge } of challenges)
      await step(`${at} looks at ${host}`, async () => {
        await client.completeChallenge(challenge);
        await client.waitForValidStatus(challenge);
      });
    return await step(`certificate of ${at}`, async () => {
      const [key, csr] = await acme.crypto.createCsr(
        { altNames: [...names] },
        await acme.crypto.createPrivateEcdsaKey("P-256"),
      );
      // The order as it is now: one whose names were proved before was `ready` from the start, and is not awaited by its old state.
      const finalized = await client.finalizeOrder(order, csr);
      const chain = await client.getCertificate(finalized);
      const id = told === undefined ? undefined : certificateId(chain);
      return { chain, key: key.toString(), ...(id !== undefined && { renewalInfo: `${told}/${id}` }) };
    });
  } catch (error) {
    // An authority counts pending ones against its limits.
    for (const one of pending) await client.deactivateAuthorization(one).catch(() => undefined);
    throw error;
  } finally {
    if (answers.length > 0) await solver.clear(answers).catch(() => undefined);
  }
}

/** RFC 8737, 3. */
async function proofOf(authorization: acme.Authorization, text: string): Promise<string> {
  const key = await acme.crypto.createPrivateEcdsaKey("P-256");
  const [, certificate] = await acme.crypto.createAlpnCertificate(authorization, text, key);
  return [certificate, key].map((pem) => `${String(pem).trim()}\n`).join("");
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** acme-client's words for a connection that broke. */
const LOST = /^Cannot read properties of undefined \(reading 'config'\)$/;
const NETWORK = /^(E[A-Z]+|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL|ERR_NETWORK)/;

function explained(
  cause: unknown,
  { at, names }: { readonly at: string; readonly names: readonly string[] },
): unknown {
  if (cause instanceof PloyzError) return cause;
  const { message } = errorBody(cause);
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = (cause instanceof Error ? cause.message : message).replaceAll(/\p{Cc}+/gu, " ").slice(0, 1_000);
  if (NETWORK.test(code) || LOST.test(why) || /^Attempting to read ACME directory|^Request failed/.test(why))
    return new PloyzError(
      {
        code: "authority_unreachable",
        message: `${at} does not answer for ${names.join(", ")}: ${LOST.test(why) ? "the connection broke" : why || code}`,
        hint: "check this machine's way out; the authority's URL and root: ployzctl cert account show",
      },
      { cause },
    );
  return new PloyzError(
    {
      code: "certificate_refused",
      message: `${at} refuses ${names.join(", ")}: ${why}`,
      hint: "check that the names point to the gateways and that the port of the challenge (80, or 443 with tls-alpn-01) is reached from outside; try with --staging first",
    },
    { cause },
  );
}
