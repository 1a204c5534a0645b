import { LIMITS } from "./limits.ts";

/**
 * What names and values may look like, each pattern once. Every pattern starts with its length bound, so that an over-long value is
 * refused in constant time, and none lets a control character, a space or a leading dash through: names end up in file names,
 * configuration lines and argument lists.
 */
const bounded = (max: number, body: string): string => `^(?=.{1,${max}}$)${body}$`;

const label = "[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?";

/**
 * Names of namespaces, services, jobs, volumes and machines: a DNS label (RFC 1123) that starts with a letter. `constructor` would
 * collide with what every JavaScript object has.
 */
export const NAME = bounded(LIMITS.name, `(?!constructor$)${label}`);

/** The name of a port: its SRV record begins with `_`, in the same label. */
export const PORT_NAME = bounded(LIMITS.portName, `(?!constructor$)${label}`);

/** A volume of a namespace. */
export const VOLUME = bounded(127, `${label}/${label}`);

/** Workloads that a service accepts: a namespace, the beginning of one and `*`, or `*`; then perhaps a service of it. */
export const PEER = bounded(127, `(?:\\*|${label}|[a-z][a-z0-9-]*\\*)(?::${label})?`);

/** A namespace, or the beginning of one and `*`. */
export const NAMESPACES = bounded(64, `(?!constructor$)(?:${label}|[a-z][a-z0-9-]*\\*)`);

/** A fact as status names it: `fact.machine.m2`. */
export const FACT_RECORD = bounded(512, "fact(\\.[A-Za-z0-9_-]+)+");

/** A region or zone: may start with a digit. */
export const PLACE = bounded(63, "[a-z0-9]([a-z0-9-]*[a-z0-9])?");

/** The name of a machine's label: `disk`, `example.com/rack`. */
export const LABEL_KEY = bounded(63, "(?!(?:constructor|__proto__)$)[a-z0-9]([a-z0-9._/-]*[a-z0-9])?");

/** The value of a machine's label. */
export const LABEL_VALUE = bounded(63, "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?");

/** Lower-case host name (RFC 1123), or one wildcard label in front. */
export const HOST = bounded(
  253,
  `(\\*\\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*`,
);

/** A registry of images: host and port. */
export const REGISTRY = bounded(253, "[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?");

/** A URL path prefix that every server reads alike: a subset of RFC 3986's `pchar`s, without `..` segments, `//`, and codes for `.`, `/`, `\`, `;`, `%` or controls. */
export const PATH = bounded(
  1024,
  "(?!.*(/\\.\\.?(/|$)|//|%([01]|2[5EeFf]|3[Bb]|5[Cc]|7[Ff]|[Cc][01])))/([A-Za-z0-9._~+=:@,/-]|%[0-9A-Fa-f]{2})*",
);

/** The Host of a readiness request. */
export const CHECK_HOST = bounded(253, "[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?");

/** Where a redirect leads: an `http` or `https` URL, or a path. */
export const REDIRECT = bounded(
  2048,
  "(?=.)(?!//)(https?://[A-Za-z0-9]([A-Za-z0-9.-]{0,252})(:[0-9]{1,5})?)?(/[A-Za-z0-9._~!$&'()*+,;=:@%/?#-]*)?",
);

/** An address or a network of IPv4 or IPv6; its numbers are checked apart. */
export const NETWORK = bounded(49, "[0-9A-Fa-f:.]+(/[0-9]{1,3})?");

/** RFC 9110, 5.6.2. */
export const HEADER_NAME = bounded(200, "(?!__proto__$)[A-Za-z0-9!#$%&'*+.^_`|~-]+");
/** Printable ASCII without spaces at the ends, or nothing. */
export const HEADER_VALUE = "^([!-~]([ -~]*[!-~])?)?$";
export const METHOD = bounded(32, "[A-Z][A-Z-]*");
/** Requests in a second, minute or hour. */
export const RATE = bounded(10, "[1-9][0-9]{0,7}/[smh]");
export const TIMEOUT = bounded(12, "([0-9]+(ms|s|m|h)|none)");

/** The full name of a gRPC service, or nothing. */
export const GRPC_SERVICE = "^([A-Za-z_][A-Za-z0-9_.]{0,254})?$";
/** A path for a readiness request; a query may follow. */
export const PROBE_PATH = bounded(1024, `(?!.*/\\.\\.?(/|$))/[A-Za-z0-9._~+=:@,%/?&-]*`);

/** Where a volume is mounted: absolute, no `.` or `..` segments. */
export const MOUNT_PATH = bounded(1024, `(?!.*/\\.\\.?(/|$))(/[A-Za-z0-9._@+-]{1,${LIMITS.pathComponent}})+`);

/** A path of the machine. */
export const HOST_PATH = bounded(
  1024,
  `(?:/|(?!.*/\\.\\.?(/|$))(/[A-Za-z0-9._@+:-]{1,${LIMITS.pathComponent}})+)`,
);
/** One in `policy.host_paths`. */
export const HOST_PATHS = bounded(
  1024,
  `(?:/|(?!.*/\\.\\.?(/|$))(/[A-Za-z0-9._@+-]{1,${LIMITS.pathComponent}})+)(?::ro)?`,
);
/** One in `policy.host_ports`: a port or a range, perhaps of one protocol. */
export const HOST_PORTS = "^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?(/(tcp|udp))?$";
/** A device of a machine, or a folder of them. */
export const DEVICE = bounded(255, "(?!.*/\\.\\.?(/|$))/dev(/[A-Za-z0-9._:@+-]+)+");
/** A folder within an instance, or its root. */
export const WORKING_DIR = bounded(
  1024,
  `(?!.*/\\.\\.?(/|$))(/|(/[A-Za-z0-9._@+-]{1,${LIMITS.pathComponent}})+)`,
);

const domain = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

/** Permission bits, without setuid and setgid. */
export const MODE = "^0?[0-7]{3}$";
/** Numeric user, or user and group. */
export const OWNER = "^[0-9]{1,10}(:[0-9]{1,10})?$";
export const BASE64 = "^[A-Za-z0-9+/]*={0,2}$";
/** A name in /etc/hosts. */
export const HOST_NAME = bounded(253, `${domain}(\\.${domain})*`);
/** Settings of a network namespace that cannot hurt another one. */
export const SYSCTL = bounded(100, "net\\.(core\\.somaxconn|ipv4\\.(tcp_[a-z0-9_]+|ip_local_port_range))");
export const SYSCTL_VALUE = bounded(100, "[0-9]+([ \\t][0-9]+)*");

export const DURATION = bounded(12, "[0-9]+(ms|s|m|h)");
export const SIZE = bounded(16, "[0-9]+[KMGT]");

export const ENV_NAME = bounded(LIMITS.variableName, "(?!__proto__$)[A-Za-z_][A-Za-z0-9_]*");
/** A name or a number. */
export const GROUP = bounded(32, "([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})");
export const USER = bounded(
  65,
  "([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})(:([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10}))?",
);

const component = "[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*";

/** An OCI reference as the distribution project's grammar has it: `[domain[:port]/]path[:tag][@sha256:digest]`. */
export const IMAGE = bounded(
  512,
  `((${domain}(\\.${domain})*|\\[[a-fA-F0-9:]+\\])(:[0-9]{1,5})?/)?${component}(/${component})*` +
    "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?",
);

/** A stage of a Dockerfile. */
export const BUILD_TARGET = bounded(128, "[A-Za-z0-9][A-Za-z0-9_.-]*");

/** A folder or tar beside the manifest; read by the client only. */
export const BUNDLE_PATH = bounded(4096, "[^\\u0000-\\u001f\\u007f-][^\\u0000-\\u001f\\u007f]*");

/** A SHA-256 digest as OCI writes it. */
export const DIGEST = "^sha256:[a-f0-9]{64}$";

/** Text that becomes an argument or an environment value. */
export const NO_NUL = "^[^\\u0000]*$";

const octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const ipv4 = `${octet}(?:\\.${octet}){3}`;
const ipv6 =
  "(?=[0-9A-Fa-f:.]{2,45}(?:\\]|$))(?=[^\\]]*:[^\\]]*:)[0-9A-Fa-f:]+(?:[0-9]{1,3}(?:\\.[0-9]{1,3}){3})?";
const hostname = `(?=[A-Za-z0-9.-]{1,253}(?::|$))${domain}(?:\\.${domain})*`;
const port = "(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})";

export const IPV4 = `^${ipv4}$`;
/** An IPv4 network. Whether host bits are zero is for who computes with it. */
export const CIDR = `^${ipv4}/(?:3[0-2]|[12]?[0-9])$`;

const ipv6network =
  "(?=[0-9A-Fa-f:.]{2,45}/)(?=[^/]*:[^/]*:)[0-9A-Fa-f:]+(?:[0-9]{1,3}(?:\\.[0-9]{1,3}){3})?/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])";
/** An IPv4 or IPv6 network. */
export const IP_PREFIX = `^(?:${ipv4}/(?:3[0-2]|[12]?[0-9])|${ipv6network})$`;

/** Where a peer may be reached: address or host name, and port. */
export const ENDPOINT = `^(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\\[[0-9A-Fa-f:.]{2,45}\\]):${port}$`;

/** A server of the store, on the overlay. */
export const SERVER = `^${ipv4}:${port}$`;

/** An Ed25519 public key: base64 of its SubjectPublicKeyInfo, 44 bytes (RFC 8410). */
export const RELEASE_KEY = "^[A-Za-z0-9+/]{59}=$";

/** Where a gateway listens. */
export const LISTEN = `^(?:${ipv4}|\\[${ipv6}\\]):${port}$`;

const user = "[a-z_][a-z0-9_-]{0,31}";
export const SSH_USER = `^${user}$`;
export const SSH_HOST = bounded(253, `(?:${hostname}|${ipv6})`);
/** `user@host`, `user@host:port` or `user@[v6]:port`. */
export const SSH_TARGET = bounded(
  400,
  `(?<user>${user})@(?:\\[(?<v6>${ipv6})\\]|(?<host>${hostname}))(?::(?<port>${port}))?`,
);

/** 32 bytes in base64 (wg(8)). */
export const WIREGUARD_KEY = "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$";
/** A user's public nkey (https://docs.nats.io, NKeys). */
export const NKEY = "^U[A-Z2-7]{55}$";

/** Ids of clusters are made of their names. */
export const CLUSTER_ID = bounded(100, "[a-z][a-z0-9-]*");

/** A ZFS dataset in whose names Ployz still has room for its own. */
export const DATASET = bounded(LIMITS.zfsRoot, "[A-Za-z][A-Za-z0-9_.:/-]*");

export const VERSION = bounded(100, "[A-Za-z0-9.+-]+");

/** Of an operation, as machines' records have it: `founding` is one too. */
export const ADDED_BY = bounded(40, "[A-Za-z0-9]+");

/** What each of them allows, for the hint of an error. */
export const ALLOWED: Readonly<Record<string, string>> = {
  [NAME]: "1 to 63 lower-case letters, digits and dashes, starting with a letter and not ending with a dash",
  [PORT_NAME]: `1 to ${LIMITS.portName} lower-case letters, digits and dashes, starting with a letter and not ending with a dash`,
  [VOLUME]: "NAMESPACE/VOLUME",
  [NAMESPACES]: "a namespace, or the beginning of one and `*` such as pr-*",
  [PLACE]: "1 to 63 lower-case letters, digits and inner dashes",
  [HOST]: "a lower-case host name such as www.example.com or *.example.com",
  [PATH]: "an absolute URL path such as /api, without `..`, `//`, `;`, query or spaces",
  [CHECK_HOST]: "a host name such as www.example.com, with a port where there is one",
  [REDIRECT]: "a URL such as https://www.example.com or a path such as /new, without spaces and quotes",
  [NETWORK]: "an address or a network such as 10.0.0.0/8 or 2001:db8::/32",
  [HEADER_NAME]: "a header's name such as X-Robots-Tag",
  [HEADER_VALUE]: "printable ASCII without spaces at the ends",
  [METHOD]: "a method such as GET, in capitals",
  [RATE]: "a number and /s, /m or /h, such as 50/s",
  [TIMEOUT]: "a whole number and ms, s, m or h, such as 30s, or none",
  [PROBE_PATH]: "an absolute URL path such as /healthz, without `..` or spaces",
  [MOUNT_PATH]: `an absolute path such as /var/lib/app, without \`..\` or a trailing slash, each part at most ${LIMITS.pathComponent} letters`,
  [HOST_PATH]: "an absolute path such as /srv/media, without `..` or a trailing slash",
  [HOST_PATHS]: "an absolute path such as /srv/media or /etc/timezone:ro, without `..` or a trailing slash",
  [DEVICE]: "a path below /dev such as /dev/fuse",
  [WORKING_DIR]: "an absolute path such as /srv/app, without `..` or a trailing slash",
  [MODE]: "three octal digits such as 0644",
  [OWNER]: "numeric ids such as 1000 or 1000:1000",
  [HOST_NAME]: "a host name such as db.internal",
  [SYSCTL]: "net.core.somaxconn, net.ipv4.tcp_… or net.ipv4.ip_local_port_range",
  [DURATION]: "a whole number and ms, s, m or h, such as 30s",
  [SIZE]: "a whole number and K, M, G or T, such as 256M",
  [ENV_NAME]: `1 to ${LIMITS.variableName} letters, digits and underscores, not starting with a digit`,
  [GROUP]: "a group or its number, such as video or 44",
  [USER]: "user, user:group or numeric ids, such as nobody or 1000:1000",
  [IMAGE]: "an image reference such as registry.example.com/team/app:v2 or app@sha256:…, in lower case",
  [BUNDLE_PATH]: "a path such as ./api, without control characters or a leading dash",
  [NO_NUL]: "it must not contain a NUL character",
  [HOST_PORTS]: 'a port or a range of them, such as "1024-65535", "25/tcp" or "53/udp"',
  [IPV4]: "an IPv4 address such as 10.101.1.1",
  [CIDR]: "an IPv4 network such as 10.101.0.0/16",
  [IP_PREFIX]: "a network such as 10.0.0.0/8 or 2001:db8::/32",
  [ENDPOINT]: "ADDRESS:PORT, such as 203.0.113.7:51820",
  [LISTEN]: "ADDRESS:PORT, such as 0.0.0.0:80 or [::]:80",
  [REGISTRY]: "a registry's host, such as ghcr.io or registry.example.com:5000",
  [SERVER]: "ADDRESS:PORT, such as 10.101.1.1:4222",
  [RELEASE_KEY]: "the text between the two marks of its PEM form, 60 characters",
  [SSH_TARGET]: "user@host or user@host:port, such as root@203.0.113.7",
  [DATASET]: `a dataset such as tank/ployz, at most ${LIMITS.zfsRoot} characters`,
};
