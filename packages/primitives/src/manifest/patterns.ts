/**
 * What names and values may look like. Every pattern starts with its length bound, so that an over-long value is refused in
 * constant time, and none lets a control character, a space or a leading dash through: names end up in file names, configuration
 * lines and argument lists.
 */
const bounded = (max: number, body: string): string => `^(?=.{1,${max}}$)${body}$`;

/**
 * What `isLabel` of model/names.ts takes: a DNS label (RFC 1123) that starts with a letter. `constructor` would collide with what
 * every JavaScript object has.
 */
export const NAME = bounded(63, "(?!constructor$)[a-z]([a-z0-9-]*[a-z0-9])?");

/** A region or zone: may start with a digit. */
export const PLACE = bounded(63, "[a-z0-9]([a-z0-9-]*[a-z0-9])?");

/** Lower-case host name (RFC 1123), or one wildcard label in front. */
export const HOST = bounded(
  253,
  `(\\*\\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*`,
);

/** A URL path prefix: a subset of RFC 3986's `pchar`s, without `..` segments. */
export const PATH = bounded(1024, `(?!.*/\\.\\.?(/|$))/[A-Za-z0-9._~+=:@,%/-]*`);

/** A path for a readiness request; a query may follow. */
export const PROBE_PATH = bounded(1024, `(?!.*/\\.\\.?(/|$))/[A-Za-z0-9._~+=:@,%/?&-]*`);

/** Where a volume is mounted: absolute, no `.` or `..` segments. */
export const MOUNT_PATH = bounded(1024, `(?!.*/\\.\\.?(/|$))(/[A-Za-z0-9._@+-]+)+`);

export const DURATION = bounded(12, "[0-9]+(ms|s|m|h)");
export const SIZE = bounded(16, "[0-9]+[KMGT]");

export const ENV_NAME = bounded(256, "(?!__proto__$)[A-Za-z_][A-Za-z0-9_]*");
export const USER = bounded(
  65,
  "([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})(:([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10}))?",
);

const domain = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const component = "[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*";

/** An OCI reference as the distribution project's grammar has it: `[domain[:port]/]path[:tag][@sha256:digest]`. */
export const IMAGE = bounded(
  512,
  `((${domain}(\\.${domain})*|\\[[a-fA-F0-9:]+\\])(:[0-9]{1,5})?/)?${component}(/${component})*` +
    "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?",
);

/** A folder or tar beside the manifest; read by the client only. */
export const BUNDLE_PATH = bounded(4096, "[^\\u0000-\\u001f\\u007f-][^\\u0000-\\u001f\\u007f]*");

export const DIGEST = "^sha256:[a-f0-9]{64}$";

/** Text that becomes an argument or an environment value. */
export const NO_NUL = "^[^\\u0000]*$";
