import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { PloyzError } from "../error-codes.ts";
import { ACCEPTED, MAX_MANIFEST_BYTES } from "../manifest.ts";
import { fullName, type Reference, shortName } from "../reference.ts";
import { parseChallenge, tokenUrl } from "./challenge.ts";
import { bodyOf, type Get, getFollowing, type Headers } from "./http.ts";
import { patiently } from "./patience.ts";

/** A login of a registry. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface RegistryOptions {
  readonly get: Get;
  /** Of a registry, by its host; asked only when the registry wants some. */
  credentials(host: string): Promise<Credentials | undefined>;
  /** Of a registry, by its host. */
  hosts?(host: string): RegistryHost | undefined;
}

/** How to reach a registry. */
export interface RegistryHost {
  /** HTTPS whose certificate is not checked, or plain HTTP where it has no HTTPS. Default: plain HTTP on loopback, as with Docker. */
  readonly insecure?: boolean | undefined;
  /** Hosts that are tried before it, in this order, with the same names of repositories. */
  readonly mirrors?: readonly string[] | undefined;
}

/** Pulls from registries (https://github.com/opencontainers/distribution-spec). Errors: `image_missing`, `registry_*`. */
export interface Registry {
  /** The bytes of the manifest or index that the reference names now, and their digest. */
  manifest(ref: Reference, signal: AbortSignal): Promise<{ readonly digest: string; readonly bytes: Buffer }>;
  /** Tries the credentials. False: the registry does not answer. @throws PloyzError `registry_denied` */
  login(host: string, signal: AbortSignal): Promise<boolean>;
  /** A blob from `offset` on; the caller verifies it. */
  blob(ref: Reference, digest: string, offset: number, signal: AbortSignal): Promise<Readable>;
}

/** Opens registries by HTTP. Connects at the first call. */
export function openRegistry({ get, credentials, hosts = () => undefined }: RegistryOptions): Registry {
  /** By host and repository: the header that the registry accepted last. */
  const accepted = new Map<string, string>();
  /** By host: where its API begins. */
  const bases = new Map<string, Promise<string>>();

  const base = (registry: string, signal: AbortSignal): Promise<string> => {
    const known = bases.get(registry) ?? findBase(registry, signal);
    bases.set(registry, known);
    known.catch(() => bases.delete(registry));
    return known;
  };

  async function findBase(registry: string, signal: AbortSignal): Promise<string> {
    const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
    if (isLoopback(registry)) return `http://${host}`;
    if (hosts(registry)?.insecure === true)
      try {
        (await get(new URL(`https://${host}/v2/`), { headers: {}, signal })).destroy();
      } catch {
        signal.throwIfAborted();
        return `http://${host}`;
      }
    return `https://${host}`;
  }

  const urlOf = async (
    { registry, repository }: Reference,
    path: readonly [kind: "manifests" | "blobs", name: string],
    signal: AbortSignal,
  ) => new URL(`${await base(registry, signal)}/v2/${repository}/${path.join("/")}`);

  /** The first mirror that can do it, else the registry itself. */
  async function fromAny<T>(
    ref: Reference,
    signal: AbortSignal,
    take: (at: Reference) => Promise<T>,
  ): Promise<T> {
    for (const registry of hosts(ref.registry)?.mirrors ?? []) {
      try {
        return await take({ ...ref, registry });
      } catch {
        signal.throwIfAborted();
      }
    }
    return take(ref);
  }

  async function ask(
    ref: Reference,
    url: URL,
    headers: Headers,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const key = `${ref.registry}/${ref.repository}`;
    const known = accepted.get(key);
    const send = (authorization?: string) =>
      patiently(
        () =>
          getFollowing(get, url, {
            headers: { ...headers, ...(authorization && { authorization }) },
            signal,
          }),
        signal,
      );
    const first = await send(known);
    if (first.statusCode !== 401) return first;
    first.destroy();
    accepted.delete(key);
    const authorization = await authorize(ref, url, first.headers["www-authenticate"], signal);
    if (authorization === undefined) return first;
    const second = await send(authorization);
    if (second.statusCode !== 401) accepted.set(key, authorization);
    return second;
  }

  async function authorize(
    ref: Reference,
    asked: URL,
    header: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const challenge = parseChallenge(header);
    if (challenge === undefined) return undefined;
    const login = await credentials(ref.registry);
    const basic = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
    if (challenge.scheme === "basic") return basic;
    const url = tokenUrl(challenge, ref.repository);
    if (asked.protocol === "https:" && url.protocol !== "https:" && hosts(ref.registry)?.insecure !== true)
      throw unusable(`${ref.registry} wants its password sent to ${url.host} without encryption`);
    const asking = { headers: basic === undefined ? {} : { authorization: basic }, signal };
    const response = await patiently(() => get(url, asking), signal);
    const { statusCode = 0 } = response;
    if ([401, 403, 429].includes(statusCode)) throw await refusal(ref, response, login);
    const token = statusCode === 200 ? tokenIn(await bodyOf(response, 1024 * 1024)) : undefined;
    response.destroy();
    if (token === undefined)
      throw unusable(`${url.host} gives no token for ${ref.registry} (HTTP ${statusCode})`);
    return `Bearer ${token}`;
  }

  async function refusal(
    ref: Reference,
    response: IncomingMessage,
    login?: Credentials,
  ): Promise<PloyzError> {
    const { statusCode = 0, headers } = response;
    response.destroy();
    const { registry } = ref;
    if (ref.repository === "" && statusCode === 401)
      return new PloyzError({
        code: "registry_denied",
        message: `${registry} does not accept the password of ${login?.username ?? "the user"}`,
        hint: "check the registry, the name and the password; some registries want a token instead",
      });
    const name =
      ref.digest === undefined ? shortName(fullName(ref)) : `${shortName(fullName(ref))}@${ref.digest}`;
    const details = { image: name, registry, status: statusCode };
    if (statusCode === 404)
      return new PloyzError({
        code: "image_missing",
        message: `${registry} has no ${name}`,
        hint: "check the name and the tag",
        details,
      });
    if (statusCode === 401 || statusCode === 403)
      return new PloyzError({
        code: "registry_denied",
        message:
          login === undefined
            ? `${registry} refuses ${name} without credentials, or has no such repository`
            : `${registry} refuses ${login.username} access to ${name}`,
        hint: `ployzctl registry login ${registry} -u USER --password-stdin`,
        details,
      });
    if (statusCode === 429)
      return new PloyzError({
        code: "registry_rate_limited",
        message: `${registry} limits pulls${headers["retry-after"] ? `; it asks to wait ${headers["retry-after"]} seconds` : ""}`,
        hint: `wait, or log in for a higher limit: ployzctl registry login ${registry} -u USER --password-stdin`,
        details,
      });
    return new PloyzError({
      code: "registry_unreachable",
      message: `${registry} answered HTTP ${statusCode} for ${name}`,
      hint: "try again later",
      details,
    });
  }

  const failed = async (ref: Reference, response: IncomingMessage) =>
    refusal(ref, response, await credentials(ref.registry));

  async function manifest(ref: Reference, signal: AbortSignal) {
    const url = await urlOf(ref, ["manifests", ref.digest ?? ref.tag ?? "latest"], signal);
    const response = await ask(ref, url, { accept: ACCEPTED.join(", ") }, signal);
    if (response.statusCode !== 200) throw await failed(ref, response);
    const bytes = await bodyOf(response, MAX_MANIFEST_BYTES);
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    if (ref.digest !== undefined && ref.digest !== digest)
      throw new PloyzError({
        code: "image_blob_corrupt",
        message: `${ref.registry} answered ${digest} for the manifest ${ref.digest}`,
        hint: "try again: it was changed on its way, or the registry is damaged",
      });
    return { digest, bytes };
  }

  async function blob(ref: Reference, digest: string, offset: number, signal: AbortSignal) {
    const range: Headers = offset === 0 ? {} : { range: `bytes=${offset}-` };
    const response = await ask(ref, await urlOf(ref, ["blobs", digest], signal), range, signal);
    if (response.statusCode === (offset === 0 ? 200 : 206)) return response;
    if (response.statusCode === 200) return skipping(response, offset);
    throw await failed({ ...ref, digest }, response);
  }

  return {
    async login(registry, signal) {
      const ref = { registry, repository: "" };
      try {
        const response = await ask(ref, new URL(`${await base(registry, signal)}/v2/`), {}, signal);
        if (response.statusCode === 200) {
          response.destroy();
          return true;
        }
        throw await failed(ref, response);
      } catch (error) {
        if (error instanceof PloyzError && error.code === "registry_unreachable") return false;
        throw error;
      }
    },
    manifest: (ref, signal) => fromAny(ref, signal, (at) => manifest(at, signal)),
    blob: (ref, digest, offset, signal) => fromAny(ref, signal, (at) => blob(at, digest, offset, signal)),
  };
}

const unusable = (message: string): PloyzError =>
  new PloyzError({
    ...{ code: "registry_unreachable", message },
    hint: "check the registry's name and its configuration, or try again later",
  });

/** `undefined`: the answer has none (https://distribution.github.io/distribution/spec/auth/token/). */
function tokenIn(body: Buffer): string | undefined {
  try {
    const { token, access_token } = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
    const given = token ?? access_token;
    return typeof given === "string" && /^[\x21-\x7e]+$/.test(given) ? given : undefined;
  } catch {
    return undefined;
  }
}

/** A registry without ranges sends the beginning again. */
function skipping(stream: Readable, bytes: number): Readable {
  async function* rest() {
    let left = bytes;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const wanted = chunk.subarray(Math.min(left, chunk.length));
      left -= chunk.length - wanted.length;
      if (wanted.length > 0) yield wanted;
    }
  }
  return Readable.from(rest(), { objectMode: false });
}

/** 127.0.0.0/8 and localhost. */
export const isLoopback = (host: string): boolean =>
  /^(?:localhost|127(?:\.\d{1,3}){3})(?::\d+)?$/.test(host);
