import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { PloyzError } from "../error-codes.ts";
import { readAtMost } from "../read.ts";

export type Headers = Readonly<Record<string, string>>;

/** One GET. The body has to be read or destroyed. */
export type Get = (
  url: URL,
  options: { readonly headers: Headers; readonly signal: AbortSignal },
) => Promise<IncomingMessage>;

/** Without a byte for this long the connection counts as dead. */
const SILENT_MS = 20_000;

/** How a host's certificate is checked. */
export interface Trust {
  /** PEM certificates in place of those that Node knows. */
  readonly ca?: readonly string[];
  /** Any certificate will do. */
  readonly insecure?: boolean | undefined;
}

/** One GET over HTTP or HTTPS, with the trust of its host. */
export const getOver =
  (trustOf: (host: string) => Trust): Get =>
  (url, { headers, signal }) =>
    new Promise((resolve, reject) => {
      const { ca, insecure } = trustOf(url.host);
      const asking = (url.protocol === "https:" ? tlsRequest : plainRequest)(
        url,
        {
          ...{ headers: { "user-agent": "ployz", ...headers }, signal },
          ...(url.protocol === "https:" && ca !== undefined && { ca: [...ca] }),
          ...(url.protocol === "https:" && insecure === true && { rejectUnauthorized: false }),
        },
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
  try {
    const body = await readAtMost(response as AsyncIterable<Buffer>, maxBytes);
    if (body !== undefined) return body;
    throw new Error(`it is larger than ${maxBytes} bytes`);
  } catch (error) {
    throw new PloyzError(
      {
        code: "registry_unreachable",
        message: `the registry's answer broke off: ${(error as Error).message}`,
      },
      { cause: error },
    );
  }
}
