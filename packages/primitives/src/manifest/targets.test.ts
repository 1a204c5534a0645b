import { expect, test } from "vitest";
import { checkTargets } from "./targets.ts";

const refused = (volumes: Readonly<Record<string, string>>, kind: "bundle" | "image" = "bundle") =>
  checkTargets(["services", "web"], { [kind]: "./x", volumes }).map(({ message }) => message);

test.each([
  ...[
    "/app",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr",
    "/etc",
    "/run",
    "/tmp",
    "/var/tmp",
  ],
  ...["/dev", "/dev/shm", "/proc", "/proc/sys", "/sys", "/sys/fs/cgroup"],
])("%s belongs to the instance, whatever it is made of", (target) => {
  for (const kind of ["bundle", "image"] as const)
    expect(refused({ d: target }, kind)).toEqual([
      `services.web.volumes.d: ${target} belongs to the instance itself`,
    ]);
});

test("the machine's programs take nothing in, an image's do", () => {
  expect(refused({ d: "/usr/share/data" })).toHaveLength(1);
  expect(refused({ d: "/usr/share/data" }, "image")).toEqual([]);
});

test.each([
  ["/data", "/data", "services.web.volumes.b: volume a is mounted at /data, too"],
  ["/data", "/data/wal", "services.web.volumes.b: /data/wal and /data of volume a lie in one another"],
  [
    "/data/deep/wal",
    "/data",
    "services.web.volumes.b: /data and /data/deep/wal of volume a lie in one another",
  ],
])("%s and %s cannot both be had", (a, b, message) => {
  expect(refused({ a, b })).toEqual([message]);
});

test("volumes stand beside one another", () => {
  expect(refused({ a: "/data", b: "/database", c: "/var/lib/app", d: "/app/files", e: "/etc/app" })).toEqual(
    [],
  );
});
