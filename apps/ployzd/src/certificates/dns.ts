import { resolveTxt } from "node:dns/promises";
import { PloyzError } from "../error-codes.ts";
import type { Answer, Solver } from "./acme.ts";

/** One way to write TXT records. `secret`: the text of the secret that `--secret` names. */
interface Provider {
  /** Writes a record; resolves with what removes it. */
  add(record: Record, signal: AbortSignal): Promise<() => Promise<void>>;
}
interface Record {
  /** Such as `_acme-challenge.example.com`, without a final dot. */
  readonly name: string;
  readonly value: string;
}
type Open = (secret: string) => Provider;

const MINUTE = 60_000;
/** Between two looks at the record. */
const LOOK_MS = 2_000;

/** Proves names by `_acme-challenge` records (RFC 8555, 8.4). @throws PloyzError `dns_provider_unknown`, `dns_provider_failed`. */
export function overDns(
  provider: string,
  secret: string,
  {
    signal,
    progress,
    waitMs = MINUTE,
  }: {
    readonly signal: AbortSignal;
    progress(note: string): void;
    /** For this machine's resolver to see a record. */
    readonly waitMs?: number;
  },
): Solver {
  const open = Object.hasOwn(PROVIDERS, provider) ? PROVIDERS[provider] : undefined;
  if (open === undefined)
    throw new PloyzError({
      code: "dns_provider_unknown",
      message: `no DNS provider is called ${provider}`,
      hint: `the providers are: ${Object.keys(PROVIDERS).join(", ")}`,
    });
  const records = open(secret);
  const removals: (() => Promise<void>)[] = [];
  return {
    kind: "dns-01",
    async present(answers) {
      for (const answer of answers) removals.push(await records.add(recordOf(answer), signal));
      for (const answer of answers) {
        progress(`record of ${answer.host}`);
        await seen(recordOf(answer), waitMs, signal);
      }
    },
    async clear() {
      // One that stays must not keep the others.
      const done = await Promise.allSettled(removals.splice(0).map((remove) => remove()));
      for (const one of done) if (one.status === "rejected") throw one.reason;
    },
  };
}

/** acme-client hashes the key authorization for DNS already. */
const recordOf = ({ host, text }: Answer): Record => ({
  name: `_acme-challenge.${host.replace(/^\*\./, "")}`,
  value: text,
});

/** Waits until this machine's resolver sees it, for a bounded time: it may see other servers than the authority does, which decides in the end. */
async function seen({ name, value }: Record, waitMs: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + waitMs;
  while (performance.now() < until) {
    signal.throwIfAborted();
    const found = await resolveTxt(name).catch((error: unknown) => (isAbsent(error) ? [] : undefined));
    // Without an answer, this machine cannot tell.
    if (found === undefined || found.some((parts) => parts.join("") === value)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOTFOUND" || error.code === "ENODATA");

const PROVIDERS: Readonly<{ [name: string]: Open | undefined }> = { cloudflare, http };

/**
 * The protocol of lego's `httpreq`: `POST URL/present` and `/cleanup` with `{fqdn, value}`, which bridges to every other provider speak. The secret
 * is the URL, perhaps with user and password.
 */
function http(secret: string): Provider {
  const url = needUrl("http", secret);
  const credentials =
    url.username === ""
      ? undefined
      : `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = "";
  url.password = "";
  const base = url.href.replace(/\/$/, "");
  const post = (path: string, { name, value }: Record, signal: AbortSignal) =>
    call("http", `${base}${path}`, {
      ...{ method: "POST", signal, body: JSON.stringify({ fqdn: `${name}.`, value }) },
      headers: {
        "content-type": "application/json",
        ...(credentials !== undefined && {
          authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
        }),
      },
    });
  return {
    async add(record, signal) {
      await post("/present", record, signal);
      return async () => void (await post("/cleanup", record, AbortSignal.timeout(MINUTE)));
    },
  };
}

/** https://developers.cloudflare.com/api: the secret is an API token that may read zones and edit their DNS. */
function cloudflare(token: string): Provider {
  const api = "https://api.cloudflare.com/client/v4";
  const headers = { authorization: `Bearer ${token.trim()}`, "content-type": "application/json" };
  const ask = async <T>(path: string, more: RequestInit): Promise<T> => {
    const answer = await call("cloudflare", `${api}${path}`, { headers, ...more });
    return ((await answer.json()) as { readonly result: T }).result;
  };
  /** The zone is the longest ending of the name that the account has. */
  const zoneOf = async (name: string, signal: AbortSignal): Promise<string> => {
    const labels = name.split(".");
    for (let from = 1; from < labels.length - 1; from++) {
      const zone = labels.slice(from).join(".");
      const [found] = await ask<readonly { readonly id: string }[]>(`/zones?name=${zone}`, { signal });
      if (found !== undefined) return found.id;
    }
    throw failed("cloudflare", `the token sees no zone of ${name}`);
  };
  return {
    async add({ name, value }, signal) {
      const zone = await zoneOf(name, signal);
      const record = { type: "TXT", name, content: `"${value}"`, ttl: 60 };
      const { id } = await ask<{ readonly id: string }>(`/zones/${zone}/dns_records`, {
        ...{ method: "POST", body: JSON.stringify(record), signal },
      });
      return () =>
        ask(`/zones/${zone}/dns_records/${id}`, { method: "DELETE", signal: AbortSignal.timeout(MINUTE) });
    },
  };
}

async function call(provider: string, url: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(url, init).catch((cause: unknown) => {
    throw failed(provider, cause instanceof Error ? cause.message : String(cause));
  });
  if (answer.ok) return answer;
  const text = (await answer.text().catch(() => "")).replaceAll(/[\p{Cc}\s]+/gu, " ").slice(0, 300);
  throw failed(provider, `it answered ${answer.status} ${text}`.trim());
}

function needUrl(provider: string, text: string): URL {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw new PloyzError({
    code: "dns_provider_unknown",
    message: `the secret of the provider ${provider} is no URL`,
    hint: "set it to the bridge's URL, such as https://user:password@dns.example.com/acme",
  });
}

const failed = (provider: string, why: string): PloyzError =>
  new PloyzError({
    code: "dns_provider_failed",
    message: `the DNS provider ${provider} did not write the record: ${why}`,
    hint: "check the secret's value, and this machine's way out",
  });
