import { expect, test } from "vitest";
import type { InstanceSpec } from "../runtime.ts";
import { containerOptions, specLabels } from "./container.ts";
import { asDockerError } from "./errors.ts";
import { repository } from "./images.ts";
import { frames, logLines } from "./streams.ts";

const frame = (stream: 1 | 2, text: string) => {
  const payload = Buffer.from(text);
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
};

test("the multiplexed log is read whatever the chunks, and long lines are joined", async () => {
  const bytes = Buffer.concat([
    frame(1, "T1 one\n"),
    frame(2, `T2 ${"h".repeat(16_384)}`),
    frame(1, "T3 ü\n"),
    frame(2, "T4 line\n"),
    frame(1, "T5 last words"),
    frame(1, "T6 next life\n"),
  ]);
  for (const size of [1, 3, 8, 1000]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    const lines = [];
    for await (const { time, stream, line } of logLines(frames(chunks)))
      lines.push(`${time} ${stream} ${line.replace(/h{16384}/, "half ")}`);
    expect(lines).toEqual([
      ...["T1 stdout one", "T3 stdout ü", "T2 stderr half line"],
      ...["T5 stdout last words", "T6 stdout next life"],
    ]);
  }
});

test.each([
  ["host:5000/a/app:v2@sha256:00", "host:5000/a/app"],
  ["host:5000/app", "host:5000/app"],
  ["app:v2", "app"],
])("%s is of repository %s", (ref, name) => expect(repository(ref)).toBe(name));

test("a restart on purpose only: the policy lets a stopped container stay down over a reboot", () => {
  const spec: InstanceSpec = {
    id: "prod.web.0",
    labels: { service: "web" },
    image: "app@sha256:00",
    env: { A: "b=c\n" },
    address: "10.101.3.7",
    dns: { server: "10.101.3.1", search: ["prod.cluster.local"] },
    hostname: "web",
    mounts: [{ source: "/data", target: "/var/lib/data" }],
    resources: { cpus: 0.5, memoryBytes: 64 * 1024 * 1024 },
    restart: "always",
  };
  const options = containerOptions(spec, {
    image: "sha256:engine",
    labelPrefix: "ployz.",
    network: "ployz0",
    log: { maxBytes: 1, maxFiles: 2 },
    arch: "amd64",
  });
  expect(options).toMatchObject({
    name: "prod.web.0",
    Image: "sha256:engine",
    Env: ["A=b=c\n"],
    HostConfig: {
      RestartPolicy: { Name: "unless-stopped" },
      NanoCpus: 5e8,
      Memory: 67108864,
      NetworkMode: "ployz0",
    },
    NetworkingConfig: { EndpointsConfig: { ployz0: { IPAMConfig: { IPv4Address: "10.101.3.7" } } } },
  });
  expect(options).not.toHaveProperty("Cmd");
  expect(specLabels(options.Labels ?? {}, "ployz.")).toEqual({ service: "web" });
});

test("settings of the container are the engine's", () => {
  const options = containerOptions(
    {
      ...{ id: "prod.web.0", labels: {}, image: "x", env: {}, address: "10.101.3.7", hostname: "web-0" },
      ...{ dns: { server: "10.101.3.1", search: [] }, mounts: [], restart: "always" as const },
      container: {
        tmpfs: { "/cache": 4096 },
        ...{ readOnly: true, shmBytes: 8192, ulimits: { nofile: { soft: 1, hard: 2 } }, capDrop: ["ALL"] },
        ...{
          capAdd: ["CHOWN", "NET_RAW"],
          init: true as const,
          groupAdd: ["44"],
          devices: { "/dev/f": "/dev/fuse" },
        },
        ...{ sysctls: { "net.core.somaxconn": "7" }, extraHosts: { db: "10.0.0.5" } },
      },
    },
    {
      ...{ image: "i", labelPrefix: "ployz.", network: "ployz0", log: { maxBytes: 1, maxFiles: 2 } },
      arch: "amd64",
      binds: [{ source: "/run/ployz/binds/x/0", target: "/media", readOnly: true }],
    },
  );
  expect(options.HostConfig).toMatchObject({
    Mounts: [{ Type: "bind", Source: "/run/ployz/binds/x/0", Target: "/media", ReadOnly: true }],
    Devices: [{ PathOnHost: "/dev/fuse", PathInContainer: "/dev/f", CgroupPermissions: "rw" }],
    Tmpfs: { "/cache": "size=4096" },
    GroupAdd: ["44"],
    ReadonlyRootfs: true,
    ShmSize: 8192,
    Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
    CapDrop: ["MKNOD", "AUDIT_WRITE", "ALL"],
    CapAdd: ["CHOWN", "NET_RAW"],
    Init: true,
    Sysctls: { "net.core.somaxconn": "7" },
    ExtraHosts: ["db:10.0.0.5"],
  });
});

test.each([
  [{ code: "ECONNREFUSED" }, "docker_unavailable"],
  [{ statusCode: 404, json: { message: "No such image: x" } }, "image_missing"],
  [{ statusCode: 403, json: { message: "Address already in use" } }, "address_in_use"],
  [{ statusCode: 500, json: { message: "no space left on device" } }, "disk_full"],
  [{ statusCode: 500, json: { message: "else" } }, "docker_failed"],
])("%o is %s", (error, code) => expect(asDockerError("x", error)).toMatchObject({ code }));
