import type { Api, ApiStreams, ParamsOf } from "@ployz/primitives/client";

/** The error of an answer, as the daemon sent it. */
export class ApiError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  constructor({ code, message, hint }: { code: string; message: string; hint?: string | undefined }) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

type Reads = { [R in keyof Api & `GET ${string}`]: Api[R] };
type Follows = { [R in keyof ApiStreams & `GET ${string}`]: ApiStreams[R] };
interface Call<Route extends string, Query> {
  readonly params?: ParamsOf<Route>;
  readonly query?: Partial<Query>;
}

/** `/v1/operations/:id` with its parameters and its query. */
export function pathOf(
  route: string,
  { params = {}, query = {} }: { readonly params?: object; readonly query?: object },
): string {
  const values = new Map(Object.entries(params));
  const path = route
    .slice("GET ".length)
    .replaceAll(/:([a-z]+)/g, (_, name: string) => encodeURIComponent(String(values.get(name) ?? "")));
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)]],
  );
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs)}`;
}

/** Reads one document. @throws ApiError. */
export async function read<R extends keyof Reads>(
  route: R,
  call: Call<R, Reads[R]["query"]> = {},
  signal?: AbortSignal,
): Promise<Reads[R]["out"]> {
  return answerOf(await fetch(`/api${pathOf(route, call)}`, signal ? { signal } : {}));
}

/** Sends a change; the server has it only with --write. @throws ApiError. */
export async function send<T>(path: string, body: unknown): Promise<T> {
  const headers = { "content-type": "application/json" };
  return answerOf(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function answerOf<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T;
  const text = await response.text();
  throw (
    errorIn(text) ??
    new ApiError({ code: `http_${response.status}`, message: text.trim() || `status ${response.status}` })
  );
}

function errorIn(text: string): ApiError | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { code: string; message: string } };
    return error && new ApiError(error);
  } catch {
    return undefined;
  }
}

export interface Listener<T> {
  event(event: T): void;
  /** The connection stands, or it is lost and the browser tries again. */
  open?(): void;
  lost?(): void;
  /** Nothing more comes. */
  end?(): void;
  fault?(error: ApiError): void;
}

/** Follows a stream until the returned function is called. */
export function follow<R extends keyof Follows>(
  route: R,
  call: Call<R, Follows[R]["query"]>,
  listener: Listener<Follows[R]["event"]>,
): () => void {
  const source = new EventSource(`/stream${pathOf(route, call)}`);
  source.onopen = () => listener.open?.();
  source.onmessage = ({ data }) => listener.event(JSON.parse(data));
  source.onerror = () => listener.lost?.();
  source.addEventListener("end", () => {
    source.close();
    listener.end?.();
  });
  source.addEventListener("fault", ({ data }) => listener.fault?.(new ApiError(JSON.parse(data))));
  return () => source.close();
}
