import Type from "typebox";
import { LIMITS } from "../model/limits.ts";
import * as patterns from "../model/patterns.ts";
import { closed } from "./schedule-schema.ts";
import { map, name, port, size } from "./schema-fields.ts";

const networks = (description: string) =>
  Type.Array(Type.String({ pattern: patterns.NETWORK }), {
    minItems: 1,
    maxItems: LIMITS.routeNetworks,
    uniqueItems: true,
    description,
  });

const headers = (description: string) =>
  map(
    patterns.HEADER_NAME,
    Type.String({ pattern: patterns.HEADER_VALUE, maxLength: LIMITS.headers }),
    description,
    100,
  );

const options = {
  allow: Type.Optional(networks("HTTP: only clients of these networks; others get a 403.")),
  deny: Type.Optional(networks("HTTP: clients of these networks get a 403, also those that `allow` names.")),
  methods: Type.Optional(
    Type.Array(Type.String({ pattern: patterns.METHOD }), {
      minItems: 1,
      maxItems: 30,
      uniqueItems: true,
      description: "HTTP: only these methods; others get a 405.",
    }),
  ),
  limits: Type.Optional(
    Type.Object(
      {
        body: Type.Optional(
          size("Largest body of a request; more gets a 413, a body without a Content-Length a 411."),
        ),
        rate: Type.Optional(
          Type.String({
            pattern: patterns.RATE,
            description: "Requests of one client: `50/s`, `100/m` or `1000/h`; more get a 429.",
          }),
        ),
        connections: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: 1_000_000,
            description: "Requests of one client at once; more get a 429.",
          }),
        ),
        timeout: Type.Optional(
          Type.String({
            pattern: patterns.TIMEOUT,
            description:
              "How long an instance may take to answer, and be silent in an answer: a duration, or `none`. Default 5m.",
          }),
        ),
      },
      { ...closed, minProperties: 1, description: "HTTP: limits of each machine's gateway." },
    ),
  ),
  basic_auth: Type.Optional(
    Type.Object(
      { secret: name("A secret of this namespace with a line `name:hash` for each user.") },
      { ...closed, description: "HTTP: only users with their password; others get a 401." },
    ),
  ),
  strip_prefix: Type.Optional(
    Type.String({
      pattern: patterns.PATH,
      description: "HTTP: removed from the beginning of the path; `path` begins with it.",
    }),
  ),
  add_prefix: Type.Optional(
    Type.String({ pattern: patterns.PATH, description: "HTTP: put before the path that instances see." }),
  ),
  headers: Type.Optional(
    Type.Object(
      {
        request: Type.Optional(headers('Headers that instances see: set, or removed with `""`.')),
        response: Type.Optional(headers('Headers that clients see: set, or removed with `""`.')),
      },
      { ...closed, minProperties: 1, description: "HTTP: headers to set or remove." },
    ),
  ),
  sticky: Type.Optional(
    Type.Enum(["cookie"], {
      description: "HTTP: requests of one client go to one instance, by a cookie of the gateway.",
    }),
  ),
  compression: Type.Optional(
    Type.Boolean({ description: "HTTP: compress text for clients that accept it. Default false." }),
  ),
  log: Type.Optional(
    Type.Boolean({
      description: "HTTP: log its requests: `ployzctl gateway log`. Default false.",
    }),
  ),
};

/** Fields that say what happens to requests on their way to an instance. */
export const OPTION_FIELDS = Object.keys(options) as readonly (keyof typeof options)[];

/** A route of a service. */
export const route = Type.Object(
  {
    host: Type.Optional(
      Type.String({
        pattern: patterns.HOST,
        description: "HTTP: the host name, lower-case; `*.example.com` takes one label.",
      }),
    ),
    path: Type.Optional(
      Type.String({
        pattern: patterns.PATH,
        description: "HTTP: path prefix on segment boundaries. Default `/`.",
      }),
    ),
    tcp: Type.Optional(port("TCP: the port that every machine's gateway listens on.")),
    udp: Type.Optional(port("UDP: the port that every machine takes datagrams at, on its IPv4 addresses.")),
    port: Type.Optional(
      name("Name of the service's port. May be left out when the service has exactly one."),
    ),
    redirect: Type.Optional(
      Type.String({
        pattern: patterns.REDIRECT,
        description:
          "HTTP: sends clients to this URL, or path of the same host, instead of an instance. Without a path in it, path and query are kept.",
      }),
    ),
    status: Type.Optional(
      Type.Enum([301, 302, 307, 308], { description: "Of `redirect`. Default 308: permanent, method kept." }),
    ),
    tls: Type.Optional(
      Type.Boolean({
        description:
          "HTTP: serve over TLS; the deploy gets a missing certificate. Port 80 redirects. Default false.",
      }),
    ),
    http: Type.Optional(
      Type.Enum(["redirect", "serve"], {
        description: "What plain HTTP gets with `tls`. Default `redirect`.",
      }),
    ),
    ...options,
  },
  { ...closed, description: "Either `host` (and `path`), `tcp` or `udp`." },
);
