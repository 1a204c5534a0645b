import { ExecError } from "@ployz/exec";
import type { RepositoryAt } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

type Failure = Readonly<{
  code: ConstructorParameters<typeof PloyzError>[0]["code"];
  what: string;
  hint: string;
}>;

/** As Go says of a local file that it has no room for; rclone's lines tell of its remote. */
const LOCAL_FULL =
  /^(?!rclone: ).*\b(?:write|open|mkdir|sync|symlink|link) (\/[^:\n]+): (?:no space left on device|disk quota exceeded)/m;

/** The restored volume, restic's cache or its temporary files; not a repository that is a folder itself. */
function isHereFull(stderr: string, url: string): boolean {
  const [, path] = LOCAL_FULL.exec(stderr) ?? [];
  return path !== undefined && !(url.startsWith("file:") && path.startsWith(url.slice("file:".length)));
}

const HERE_FULL: Failure = {
  code: "no_space",
  what: "this machine has no room for what it reads or caches",
  hint: "make room on the machine, or in its pool, then run the same command again",
};

const UNREACHABLE: Failure = {
  code: "repository_unreachable",
  what: "its server does not answer",
  hint: "check the server and the network, then run the same command again",
};

/** Messages of restic and its backends, the most specific ones first. */
const SIGNS: readonly (Failure & { readonly pattern: RegExp })[] = [
  {
    code: "repository_password_wrong",
    pattern: /password or no key found/i,
    what: "the password in its secret is wrong",
    hint: "set the secret again, with the password that the repository was created with",
  },
  {
    code: "backup_damaged",
    pattern:
      /ciphertext verification failed|invalid data returned|does not match id|hash (mismatch|does not match)|blob .* not found|not found in index|repository contains errors|unexpected length|ignoring error for .*: [^:]*(failed|mismatch|invalid|EOF)/i,
    what: "its data is damaged",
    hint: "back up to another repository, and keep this one as it is",
  },
  {
    code: "repository_full",
    pattern:
      /no space left|disk quota exceeded|QuotaExceeded|InsufficientStorage|too big for remaining disk space|\b507\b/i,
    what: "it is full",
    hint: "make room there, then run the same command again: uploaded data is reused",
  },
  {
    code: "repository_denied",
    pattern: /Host key verification failed/i,
    what: "the key of its server is not known, or has changed",
    hint: "set the secret again, with ssh_known_hosts=LINE for each line of: ssh-keyscan HOST",
  },
  {
    code: "repository_denied",
    pattern:
      /InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Access Denied|ExpiredToken|InvalidToken|Permission denied|\b40[13]\b|Unauthorized|Forbidden|key id you provided does not exist/i,
    what: "its server refuses the credentials",
    hint: "set the secret again, with valid keys; ployzctl backup repository show tries them",
  },
  {
    code: "repository_secret_invalid",
    pattern: /rclone: .*didn't find (section in config file|backend called)/i,
    what: "rclone does not know its remote",
    hint: "set the secret again, with RCLONE_CONFIG_REMOTE_TYPE and the remote's other settings, or write them to root's rclone.conf on each machine",
  },
  {
    code: "repository_locked",
    pattern: /repository is already locked/i,
    what: "another program has locked it",
    hint: "wait for the other run; the lock of a dead one goes with the next run on its machine, elsewhere after half an hour",
  },
  {
    ...UNREACHABLE,
    pattern:
      /connection refused|no such host|i\/o timeout|no route to host|network is unreachable|timed out|connection reset|TLS handshake|Could not resolve|Temporary failure in name|server misbehaving|connection closed|broken pipe/i,
  },
  {
    code: "repository_unreachable",
    pattern: /\b50[0-9] (Internal Server Error|Bad Gateway|Service Unavailable|Gateway Timeout)/i,
    what: "its server fails",
    hint: "see the log of that server: its disk may be full, too. Then run the same command again",
  },
  {
    code: "repository_absent",
    pattern: /unable to open config file|Is there a repository at the following location|NoSuchBucket/i,
    what: "there is no repository at its URL",
    hint: "create it: ployzctl backup repository add",
  },
  {
    code: "backup_incomplete",
    pattern: /at least one source file could not be read/i,
    what: "some files could not be read",
    hint: "check the pool of the machine: zpool status",
  },
];

/** Whether restic says that it tries again what a person has to put right first; rclone gives the reason in a line of its own. */
export function isVain(line: string): boolean {
  if (!/returned error, retrying|^rclone: .*\bERROR\b/.test(line)) return false;
  const sign = SIGNS.find(({ pattern }) => pattern.test(line));
  return sign?.code === "repository_full" || sign?.code === "repository_denied";
}

/** A failure of restic as an error with a next step. */
export function failureOf(error: unknown, { name, url }: Pick<RepositoryAt, "name" | "url">): unknown {
  if (!(error instanceof ExecError) || error.code === "exec_aborted") return error;
  if (error.code === "exec_not_found")
    return new PloyzError(
      {
        code: "backup_tool_missing",
        message: "this machine has no restic, which makes backups",
        hint: "install the package: apt-get install restic",
      },
      { cause: error },
    );
  const { stderr } = error;
  if (/"rclone": executable file not found/.test(stderr))
    return new PloyzError(
      {
        code: "backup_tool_missing",
        message: `this machine has no rclone, which the repository ${name} needs`,
        hint: "install the package: apt-get install rclone",
      },
      { cause: error },
    );
  const sign = isHereFull(stderr, url)
    ? HERE_FULL
    : (SIGNS.find(({ pattern }) => pattern.test(stderr)) ?? otherwise(error));
  const { code, what, hint } = sign.code === "repository_absent" && isByRclone(url) ? UNCLEAR : sign;
  const line = lastLine(stderr);
  const message = `repository ${name}: ${what}${line === "" ? "" : ` (${line})`}`;
  return new PloyzError({ code, message, hint }, { cause: error });
}

const isByRclone = (url: string) => url.startsWith("rclone:");

/** rclone answers restic in the same way when its remote refuses the keys. */
const UNCLEAR: Failure = {
  code: "repository_absent",
  what: "rclone finds no repository at its URL, or the remote refuses the keys",
  hint: "check the keys in its secret; if the repository is new: ployzctl backup repository add",
};

const otherwise = ({ code }: ExecError): Failure =>
  code === "exec_timeout"
    ? UNREACHABLE
    : {
        code: "backup_failed",
        what: "restic failed",
        hint: "run the same command again; ployzctl backup repository show tries the repository",
      };

function lastLine(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim());
  const telling = lines.filter(
    (line) => line !== "" && !/^(github\.com|main\.|runtime\.|\/|goroutine)/.test(line),
  );
  // A program that restic has started gives the reason itself.
  const why = telling.findLast((line) => /^(rclone: .*(ERROR|Failed|CRITICAL)|subprocess ssh: )/.test(line));
  const fatal = why ?? telling.find((line) => line.startsWith("Fatal:")) ?? telling.at(-1) ?? "";
  return fatal.replace(/^Fatal: /, "").slice(0, 300);
}
