import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { describe, expect, test } from "vitest";
import { collect } from "../machine.ts";
import { type Bench, deadline } from "./bench.ts";

/** Calls that change or look into the machine, with their numbers on x64 and arm64 (syscall(2)). A kernel alone would refuse many of them for their arguments. */
const CALLS: Readonly<Record<string, readonly [number, number]>> = {
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  unshare: [272, 97],
  setns: [308, 268],
  fsopen: [430, 430],
  fsmount: [432, 432],
  open_tree: [428, 428],
  move_mount: [429, 429],
  mount_setattr: [442, 442],
  swapon: [167, 224],
  reboot: [169, 142],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  acct: [163, 89],
  quotactl: [179, 60],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  open_by_handle_at: [304, 265],
  syslog: [103, 116],
  vhangup: [153, 58],
  fanotify_init: [300, 262],
  kcmp: [312, 272],
  move_pages: [279, 239],
  pidfd_getfd: [438, 438],
  io_uring_setup: [425, 425],
};
/** Arguments that a kernel would take; zeros for the others. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  unshare: "0x10000000",
  mount: '"x", "/tmp", "tmpfs", 0, 0',
  fsopen: '"tmpfs", 0',
  sethostname: '"evil", 4',
  keyctl: "0, -3, 1",
  syslog: "3, $buffer, 4096",
};
/** Family, type and protocol: packets, raw packets of IPv4, the hypervisor's channel. */
const SOCKETS = ["17, 3, 768", "17, 2, 768", "2, 3, 1", "40, 1, 0"];

/** Settings of the machine, none of which may be opened for writing. */
const SETTINGS = [
  ...["core_pattern", "modprobe", "randomize_va_space"].map((name) => `/proc/sys/kernel/${name}`),
  ...["/proc/sys/net/ipv4/ip_forward", "/proc/sys/vm/overcommit_memory", "/proc/sys/fs/binfmt_misc/register"],
  ...[
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
    "/proc/bus/pci/devices",
    "/proc/fs/nfsd/threads",
  ],
  ...["/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/power/state"],
  ...[
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory.max",
  ],
];
/** Memory, keys and devices of the machine, which give nothing to read. */
const INSIDES = [
  ...["kcore", "keys", "kmsg", "timer_list", "sched_debug", "latency_stats", "scsi/scsi"].map(
    (name) => `/proc/${name}`,
  ),
  ...["mem", "kmsg", "port", "sda", "vda", "loop0", "fuse", "kvm", "net/tun"].map((name) => `/dev/${name}`),
  ...["/sys/firmware/dmi/tables/DMI", "/sys/kernel/debug/sched/features", "/proc/1/root/etc/shadow-"],
];

// EPERM, EACCES and ENOSYS (errno(3)): its module is not there.
const PROBE = `my $buffer = "x" x 4096;
sub call { my ($name, $number, @arguments) = @_; told($name, syscall($number, @arguments) != -1) }
sub setting { my ($path) = @_; print "$path ", sysopen(my $file, $path, 1) ? "open" : "refused", "\\n" }
sub inside { my ($path) = @_; print "$path ", sysopen(my $file, $path, 2048) && sysread($file, my $data, 64) ? "read" : "refused", "\\n" }
sub told { my ($name, $passed) = @_; print "$name ", $passed ? "passed" : (grep { $_ == $! + 0 } 1, 13, 38) ? "refused" : "asked: $!", "\\n" }
${Object.entries(CALLS)
  .map(
    ([name, [x64, arm64]]) =>
      `call("${name}", ${process.arch === "arm64" ? arm64 : x64}, ${ARGUMENTS[name] ?? "0, 0, 0, 0, 0"});`,
  )
  .join("\n")}
${SOCKETS.map((socket) => `told("socket ${socket}", socket(my $s, ${socket}));`).join("\n")}
${SETTINGS.map((path) => `setting("${path}");`).join("\n")}
${INSIDES.map((path) => `inside("${path}");`).join("\n")}
`;

export function attackCases(bench: Bench): void {
  describe.each(["0", "1000"])("user %s", (user) => {
    test("gets no call past the filter that changes or looks into the machine, and none of its settings and insides", async () => {
      const { machine, runtime, sh } = bench;
      // perl(1) with its libraries makes any call, and no image has to have it.
      const folder = await machine.folder(`probe-${user}`);
      const { stdout } = await run("ldd", ["/usr/bin/perl"]);
      const files = ["/usr/bin/perl", ...(stdout.match(/\/\S+/g) ?? [])];
      for (const file of files) await copyFile(file, join(folder, file.split("/").at(-1) ?? ""));
      await writeFile(join(folder, "probe.pl"), PROBE);
      const id = `attack-${user}`;
      const script = "/probe/ld-* --library-path /probe /probe/perl /probe/probe.pl";
      await runtime.create(
        machine.spec(id, {
          ...sh(script),
          user,
          restart: "no",
          mounts: [{ source: folder, target: "/probe", readOnly: true }],
        }),
      );
      await runtime.start(id);
      await runtime.wait(id, deadline());
      const lines = (await collect(runtime.logs(id))).map(({ line }) => line);
      expect(lines).toEqual([
        ...Object.keys(CALLS).map((name) => `${name} refused`),
        ...SOCKETS.map((socket) => `socket ${socket} refused`),
        ...[...SETTINGS, ...INSIDES].map((path) => `${path} refused`),
      ]);
      await runtime.remove(id);
    });
  });
}
