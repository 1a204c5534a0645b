import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { PloyzError } from "../error-codes.ts";

export type Headers = Readonly<Record<string, string>>;

/** One GET. The body has to be read or destroyed. */
export type Get = (
  url: URL,
  options: { readonly headers: Headers; readonly signal: AbortSignal },
) => Promise<IncomingMessage>;

/** Without a byte for this long the connection counts as dead. */
const SILENT_MS = 20_000;

/** `ca`: PEM certificates, beside those that Node knows, for a host. */
export const getOver =
  (ca: (host: string) => string[] | undefined): Get =>
  (url, { headers, signal }) =>
    new Promise((resolve, reject) => {
      const trusted = url.protocol === "https:" ? ca(url.host) : undefined;
      const asking = (url.protocol === "https:" ? tlsRequest : plainRequest)(
        url,
        { headers: { "user-agent": "ployz", ...headers }, signal, ...(trusted && { ca: trusted }) },
        resolve,
      );
      asking.setTimeout(SILENT_MS, () =>
        asking.destroy(new Error(`no answer for ${SILENT_MS / 1000} seconds`)),
      );
      asking.on("error", (error) =>
        reject(
          signal.aborted
            ? signal.reason
            : new PloyzError(
                {
                  code: "registry_unreachable",
                  message: `${url.host} does not answer: ${error.message}`,
                  hint: "can this machine reach the registry? An image that another machine has is moved without it",
                },
                { cause: error },
              ),
        ),
      );
      asking.end();
    });

/** Follows redirects to where a registry keeps its blobs. Credentials stay with the first host. */
export async function getFollowing(
  get: Get,
  url: URL,
  options: { readonly headers: Headers; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  let from = url;
  for (let hops = 0; ; hops++) {
    const { authorization: _secret, ...public_ } = options.headers;
    const headers = from.host === url.host ? options.headers : public_;
    const response = await get(from, { ...options, headers });
    const { statusCode = 0, headers: answered } = response;
    if (![301, 302, 303, 307, 308].includes(statusCode) || answered.location === undefined || hops >= 5)
      return response;
    response.destroy();
    const next = new URL(answered.location, from);
    // A redirect must not turn an encrypted request into a readable one.
    if (from.protocol === "https:" && next.protocol !== "https:") return response;
    from = next;
  }
}

/** @throws PloyzError `registry_unreachable` when there is more, or the body breaks off */
export async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
      parts.push(part);
    }
  } catch (error) {
    throw new PloyzError(
      {
        code: "registry_unreachable",
        message: `the registry's answer broke off: ${(error as Error).message}`,
      },
      { cause: error },
    );
  }
  return Buffer.concat(parts);
}
