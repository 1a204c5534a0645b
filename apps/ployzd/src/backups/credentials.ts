import type { RepositoryAt } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** Environment and files that give restic a repository. Nothing secret is an argument. */
export interface Access {
  readonly env: Readonly<Record<string, string>>;
  /** Files that ssh needs: written before, removed after. */
  readonly ssh?: {
    readonly destination: readonly string[];
    readonly key?: string;
    readonly knownHosts?: string;
  };
  /** What no error may show. */
  readonly hidden: readonly string[];
}

type Values = ReadonlyMap<string, string>;
type Scheme = "s3" | "sftp" | "rest" | "file" | "rclone";

const KEYS: Readonly<Record<Scheme, RegExp>> = {
  s3: /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|DEFAULT_REGION)$/,
  sftp: /^ssh_(key|known_hosts)$/,
  rest: /^rest_(username|password)$/,
  file: /^$/,
  rclone: /^RCLONE_CONFIG_[A-Z0-9_]+$/,
};
const KNOWN: Readonly<Record<Scheme, string>> = {
  s3: "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_DEFAULT_REGION",
  sftp: "ssh_key, ssh_known_hosts",
  rest: "rest_username, rest_password",
  file: "nothing else",
  rclone: "RCLONE_CONFIG_REMOTE_KEY",
};
const NEEDED: Readonly<Partial<Record<Scheme, readonly string[]>>> = {
  s3: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
};

/** Reads a repository's secret. @throws PloyzError `repository_secret_invalid`, naming the key and never a value. */
export function accessOf({ url, secret, name }: RepositoryAt, text: string): Access {
  const scheme = url.slice(0, url.indexOf(":")) as Scheme;
  const refuse = (message: string) =>
    new PloyzError({
      code: "repository_secret_invalid",
      message: `the secret ${secret.namespace}/${secret.name} of the repository ${name} ${message}`,
      hint: `its lines are KEY=VALUE: password, and for ${scheme}: ${KNOWN[scheme]}`,
    });
  const values = linesOf(text, refuse);
  const unknown = [...values.keys()].find((key) => key !== "password" && !KEYS[scheme].test(key));
  if (unknown !== undefined)
    throw refuse(`has the key ${unknown.slice(0, 60)}, which ${scheme}: does not know`);
  for (const [key, value] of values) if (value.includes("\0")) throw refuse(`has a NUL byte in ${key}`);
  for (const key of ["password", ...(NEEDED[scheme] ?? [])])
    if ((values.get(key) ?? "") === "") throw refuse(`has no ${key}`);
  const repository = repositoryOf(scheme, url, values);
  const hidden = [...values].flatMap(([key, value]) =>
    /region|known_hosts|username/i.test(key) || value.length < 4 ? [] : [value, encodeURIComponent(value)],
  );
  return {
    env: {
      RESTIC_REPOSITORY: repository,
      RESTIC_PASSWORD: values.get("password") ?? "",
      ...Object.fromEntries([...values].filter(([key]) => /^(AWS|RCLONE_CONFIG)_/.test(key))),
    },
    ...(scheme === "sftp" && { ssh: sshOf(url, values) }),
    hidden,
  };
}

/** `KEY=VALUE`, one a line; a PEM block takes the lines to its end, and a key that comes again adds a line. */
function linesOf(text: string, refuse: (message: string) => PloyzError): Values {
  const values = new Map<string, string>();
  let block: string | undefined;
  for (const raw of text.split(/\r?\n/)) {
    if (block !== undefined) {
      values.set(block, `${values.get(block)}\n${raw}`);
      if (raw.startsWith("-----END ")) block = undefined;
      continue;
    }
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const at = line.indexOf("=");
    if (at < 1) throw refuse("has a line that is not KEY=VALUE");
    const key = line.slice(0, at);
    const value = line.slice(at + 1);
    values.set(key, values.has(key) ? `${values.get(key)}\n${value}` : value);
    if (value.startsWith("-----BEGIN ")) block = key;
  }
  return values;
}

function repositoryOf(scheme: Scheme, url: string, values: Values): string {
  if (scheme === "file") return url.slice("file:".length);
  if (scheme === "s3" && url.startsWith("s3://")) {
    const rest = url.slice("s3://".length);
    const host = rest.split("/")[0] ?? "";
    // The name of a bucket has no port, and that of a server has a dot or one.
    return /[.:]/.test(host) ? `s3:${rest}` : `s3:s3.amazonaws.com/${rest}`;
  }
  const user = values.get("rest_username");
  if (scheme !== "rest" || user === undefined) return url;
  const login = [user, values.get("rest_password") ?? ""].map(encodeURIComponent).join(":");
  return url.replace(/^rest:(https?:\/\/)/, `rest:$1${login}@`);
}

function sshOf(url: string, values: Values): NonNullable<Access["ssh"]> {
  // Without slashes, the path follows the colon: sftp:HOST:2222/data is a folder 2222.
  const [, to = "", port] = /^sftp:(?:\/\/)?([^:/]+)(?:(?<=^sftp:\/\/[^:/]+):([0-9]+))?/.exec(url) ?? [];
  const [key, knownHosts] = [values.get("ssh_key"), values.get("ssh_known_hosts")];
  return {
    destination: [...(port === undefined ? [] : ["-p", port]), to],
    ...(key !== undefined && { key: `${key.trimEnd()}\n` }),
    ...(knownHosts !== undefined && { knownHosts: `${knownHosts}\n` }),
  };
}
