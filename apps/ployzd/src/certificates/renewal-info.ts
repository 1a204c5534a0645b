import { Agent, get } from "node:https";
import { AuthorityKeyIdentifierExtension, X509Certificate } from "@peculiar/x509";

/** When an authority would like a certificate to be renewed (RFC 9773, 4.2). Epoch ms. */
export interface SuggestedWindow {
  readonly from: number;
  readonly to: number;
  /** Milliseconds until it is to be asked again. */
  readonly againMs: number;
}

const MINUTE = 60_000;
const [SHORTEST_MS, USUAL_MS, LONGEST_MS] = [MINUTE, 360 * MINUTE, 1_440 * MINUTE];
/** An answer has two times and a link. */
const LONGEST = 64 * 1024;

/** How an authority knows a certificate again: its issuer's key and its serial number (RFC 9773, 4.1). `undefined`: it names no issuer's key. */
export function certificateId(pem: string): string | undefined {
  const certificate = new X509Certificate(pem);
  const issuer = certificate.getExtension(AuthorityKeyIdentifierExtension)?.keyId;
  if (issuer === undefined) return undefined;
  const serial = certificate.serialNumber;
  // As DER has it: without a zero before it, a number that begins with a set bit is negative.
  const encoded = /^[89a-f]/i.test(serial) ? `00${serial}` : serial;
  return [issuer, encoded].map((hex) => Buffer.from(hex, "hex").toString("base64url")).join(".");
}

/** Asks the authority. @throws Error when the answer is none. */
export async function askWindow(
  url: string,
  { roots, signal }: { readonly roots: readonly string[]; readonly signal: AbortSignal },
): Promise<SuggestedWindow> {
  const { body, retryAfter } = await fetched(url, roots, signal);
  const { suggestedWindow: window } = body as {
    readonly suggestedWindow?: { start?: unknown; end?: unknown };
  };
  const [from, to] = [window?.start, window?.end].map((time) => Date.parse(String(time)));
  if (from === undefined || to === undefined || !(from < to))
    throw new Error(`${new URL(url).host} suggests no window for a renewal`);
  const asked = Number(retryAfter) * 1000;
  const againMs = asked > 0 ? Math.min(Math.max(asked, SHORTEST_MS), LONGEST_MS) : USUAL_MS;
  return { from, to, againMs };
}

/** The URL at which the directory's authority tells about renewals. `undefined`: it does not, or is no directory. @throws Error without a connection. */
export async function renewalInfoOf(
  directory: string,
  options: { readonly roots: readonly string[]; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { body } = await fetched(directory, options.roots, options.signal).catch((error: unknown) => {
    if (error instanceof WrongAnswer) return { body: {} };
    throw error;
  });
  const { renewalInfo } = body as { readonly renewalInfo?: unknown };
  return typeof renewalInfo === "string" && renewalInfo.startsWith("https://") ? renewalInfo : undefined;
}

class WrongAnswer extends Error {}

function fetched(
  url: string,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly body: unknown; readonly retryAfter: string | undefined }> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ ca: [...roots] });
    const asking = get(url, { agent, signal, timeout: 15_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
        if (text.length > LONGEST) response.destroy(new Error("the answer is too long"));
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== 200)
          return reject(new WrongAnswer(`${new URL(url).host} answered ${response.statusCode}`));
        try {
          const body: unknown = JSON.parse(text);
          if (typeof body !== "object" || body === null) throw new Error("no object");
          resolve({ body, retryAfter: response.headers["retry-after"] });
        } catch (cause) {
          reject(new WrongAnswer(`${new URL(url).host} answered something else than JSON`, { cause }));
        }
      });
    });
    asking.on("timeout", () =>
      asking.destroy(Object.assign(new Error("it is silent"), { code: "ETIMEDOUT" })),
    );
    asking.on("error", reject);
    asking.once("close", () => agent.destroy());
  });
}
