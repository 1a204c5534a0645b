const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Every limit that comes from outside of Ployz or that Ployz sets itself, once. The schemas, the plans and docs/manifest.md state these; a test of
 * `apps/ployzd` holds the drivers to them: what a plan lets through, a driver carries out.
 */
export const LIMITS = {
  /** Letters of a name: a DNS label (RFC 1035, 2.3.4). */
  name: 63,
  /** Letters of a port's name: its SRV record begins with `_name`, one label (RFC 2782). */
  portName: 62,
  /** Letters of a variable's name. */
  variableName: 255,
  /** Bytes of one value of the environment, of a secret, or of one word of a command. Linux takes 128 KiB with the name (execve(2), MAX_ARG_STRLEN). */
  word: 32 * KIB,
  /** Bytes of a command and its environment together, names and secrets included. Linux takes 2 MiB (execve(2)), and the runtimes add some. */
  program: MIB,
  /** The highest user and group id: that of Docker and runc (int32). */
  uid: 2 ** 31 - 1,
  /** Letters of one component of a path (NAME_MAX). */
  pathComponent: 255,
  /** Bytes of memory below which neither Docker nor runc starts a program. */
  memory: 6 * MIB,
  /** Bytes of command and environment that start with the least memory; each further such part takes 1 MiB more. */
  programInMemory: 128 * KIB,
  /** Processes and threads without which runc does not start a program from a bundle. */
  pids: 16,
  /** Bytes of the smallest folder in memory: a page. */
  tmpfs: 4 * KIB,
  /** Bytes of a quota below which a dataset of ZFS has no room for a file. */
  quota: MIB,
  /** Bytes of any size: what a number of JSON holds exactly. */
  size: Number.MAX_SAFE_INTEGER,
  /** Milliseconds of any duration: a day. Timers overflow after 24.8 of them. */
  duration: 86_400_000,
  /** Letters of a dataset with its snapshot (zfs(8)). */
  dataset: 255,
  /** Letters of the dataset below which a machine keeps its volumes. */
  zfsRoot: 60,
  /** Folders in one another in a bundle, and bytes of a path in it: what every program can walk. */
  bundleDepth: 128,
  bundlePath: 1024,
  /** Bytes of the headers that a route sets on one side: half of what HAProxy keeps of a message. */
  headers: 8 * KIB,
  /** Labels of a machine. */
  labels: 32,
  /** Networks that a route allows or denies. */
  routeNetworks: 1000,
  /** Bytes of a manifest's text. */
  manifest: MIB,
  /** Bytes of a message of the store, less its headers: a plan and a commit are one each. */
  message: 8 * MIB - 64 * KIB,
} as const;

/** Record sizes of a dataset (zfsprops(7)). */
export const RECORDSIZES: number[] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];

/** The longest name of a snapshot that an operation takes: its id and a round. */
const OPERATION_SNAPSHOT = "01arz3ndektsv4rrffq69g5fav-r20".length;

/** Signals that may ask a program to end (signal(7)). */
export const STOP_SIGNALS: string[] = [
  ...["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGABRT"],
];

/** Limits of a process (getrlimit(2)). */
export const ULIMITS: string[] = [
  ...["as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc"],
  ...["rtprio", "rttime", "sigpending", "stack"],
];

/** Every capability (capabilities(7)), without `CAP_`. */
export const CAPABILITIES: string[] = [
  ...["AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN"],
  ...["DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE"],
  ...["LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE"],
  ...["NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_ADMIN"],
  ...["SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO"],
  ...["SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM"],
];

/** Letters of the longest name that a volume's dataset has on any machine, with a snapshot. */
export const datasetLength = (
  { namespace, id }: { readonly namespace: string; readonly id: string },
  snapshot = OPERATION_SNAPSHOT,
): number => LIMITS.zfsRoot + "/volumes/".length + namespace.length + 1 + id.length + 1 + snapshot;

/** Bytes of a text in UTF-8. */
export const bytesOf = (text: string): number => Buffer.byteLength(text);

/** What a program's command and environment take: each word with its NUL and its pointer. */
export const programBytes = (words: readonly string[], env: Readonly<Record<string, number>>): number =>
  words.reduce((sum, word) => sum + bytesOf(word) + 9, 0) +
  Object.entries(env).reduce((sum, [name, bytes]) => sum + bytesOf(name) + bytes + 10, 0);

/**
 * Bytes of memory with which both runtimes start a program whose command and environment are of that size: runc and the kernel have
 * several copies of them meanwhile. Measured: 7 MiB for 512 KiB, 9 for 800, 10 for 992.
 */
export const leastMemory = (program: number): number =>
  LIMITS.memory + Math.max(0, Math.ceil(program / LIMITS.programInMemory) - 1) * MIB;
