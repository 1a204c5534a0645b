import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { type Lab, openLab } from "@ployz/lab";
import { afterAll, beforeAll, it } from "vitest";
import { payload, root } from "../../src/cluster.ts";

/** The packages' own tests on a machine with OpenZFS: what they do on zfs-fuse everywhere else. */
let lab: Lab;
let copy: string;
beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "ployz-checkout-"));
  const leave = "--exclude=./.git --exclude=./.cache --exclude=./tools/release/dist";
  await run("sh", ["-c", `tar -C "$1" ${leave} -cf - . | tar -C "$2" -xf -`, "sh", root, copy], {
    timeoutMs: 300_000,
  });
  lab = await openLab({ machines: 1, kind: "vm", share: copy, payload: await payload() });
  // Tests write beside what they test.
  const mount = `mkdir -p /mnt/checkout /var/tmp/own/upper /var/tmp/own/work /src
mount -o ro /dev/vdc /mnt/checkout
mount -t overlay -o lowerdir=/mnt/checkout,upperdir=/var/tmp/own/upper,workdir=/var/tmp/own/work overlay /src`;
  await lab.sh(1, ["sh", "-ec", mount], { timeoutMs: 60_000 });
});
afterAll(async () => {
  await lab?.down();
  await rm(copy, { recursive: true, force: true });
});

it.each([
  ["packages/zfs", "PLOYZ_ZFS_LAB", ["test/transfer.lab.test.ts", "test/changes.lab.test.ts"]],
  ["apps/ployzd", "PLOYZ_PLOYZD_LAB", ["test/volumes.lab.test.ts", "test/volumes-data.lab.test.ts"]],
])("%s", async (folder, variable, files) => {
  // With a network of their own, as they write packet filters; but not with mounts of their own: the kernel opens the files of a pool
  // where it sees them, and the machine is the test's alone.
  const enter = `cd "/src/$1" && export "$2=1" PATH=/usr/local/lib/ployz/current/lib:$PATH && shift 2
exec unshare --net sh -c 'ip link set lo up; exec "$@" >/var/tmp/output 2>&1' sh "$@"`;
  const vitest = ["node", "node_modules/vitest/vitest.mjs", "run", "--config", "vitest.lab.config.ts"];
  const patient = ["--testTimeout=900000", "--hookTimeout=900000", "--reporter=verbose"];
  const all: readonly string[] = [...vitest, ...patient, ...files];
  try {
    await lab.sh(1, ["sh", "-c", enter, "sh", folder, variable, ...all], { timeoutMs: 3_000_000 });
  } finally {
    console.log((await lab.sh(1, ["cat", "/var/tmp/output"])).stdout);
  }
});
