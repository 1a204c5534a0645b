/** Where a machine's logs are sent, read from `logs.forward`. */
export interface ForwardTarget {
  readonly protocol: "otlp" | "loki" | "syslog";
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  /** Of HTTP. */
  readonly path: string;
  /** `USER:PASSWORD`, for basic authentication over HTTP. */
  readonly login?: string;
  /** Scheme, host and port: for documents and logs. */
  readonly shown: string;
}

/** The beginning of such a URL. */
export const FORWARD = "^(otlp\\+https?|loki\\+https?|syslog\\+(tls|tcp))://[^\\s\\u0000-\\u001f]+$";
export const FORWARD_SHAPE =
  "otlp+https://HOST, otlp+http://HOST, loki+https://HOST, loki+http://HOST, syslog+tls://HOST or syslog+tcp://HOST, each with :PORT if it is another one, and of HTTP also a path";

const URLS = /^(otlp|loki)\+(https?):\/\/|^(syslog)\+(tls|tcp):\/\//;
const PATHS = { otlp: "/v1/logs", loki: "/loki/api/v1/push", syslog: "" } as const;
const PORTS = { http: 80, https: 443, tls: 6514, tcp: 601 } as const;

/** `undefined`: not such a URL. */
export function forwardTarget(text: string): ForwardTarget | undefined {
  const scheme = URLS.exec(text);
  const protocol = (scheme?.[1] ?? scheme?.[3]) as ForwardTarget["protocol"] | undefined;
  const transport = (scheme?.[2] ?? scheme?.[4]) as keyof typeof PORTS | undefined;
  if (scheme === null || protocol === undefined || transport === undefined) return undefined;
  // As HTTP, so that host and port are checked by the same rules for all schemes.
  const plain = `http://${text.slice(scheme[0].length)}`;
  const url = URL.canParse(plain) ? new URL(plain) : undefined;
  if (url === undefined || url.hash !== "") return undefined;
  const path = `${url.pathname}${url.search}`;
  if (protocol === "syslog" && (path !== "/" || url.username !== "")) return undefined;
  // 80 is left out of a URL as the port of HTTP.
  const written = /:80(?:[/?]|$)/.test(plain) ? 80 : PORTS[transport];
  const port = url.port === "" ? written : Number(url.port);
  return {
    ...{ protocol, tls: transport === "https" || transport === "tls", port },
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    path: path === "/" ? PATHS[protocol] : path,
    ...(url.username !== "" && {
      login: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`,
    }),
    shown: `${protocol}+${transport}://${url.hostname}:${port}`,
  };
}
