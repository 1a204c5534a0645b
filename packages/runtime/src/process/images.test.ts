import { expect, test } from "vitest";
import type { InstanceSpec } from "../runtime.ts";
import { IMAGE_INIT, imageRoot } from "./image-root.ts";
import { signalName, withProgram } from "./images.ts";
import { instancePaths } from "./paths.ts";
import { ociSpec } from "./spec.ts";
import { imageUser, withGroups } from "./users.ts";

const spec: InstanceSpec = {
  ...{
    id: "shop.web.1.a",
    labels: {},
    image: "sha256:1",
    env: {},
    address: "10.101.1.10",
    hostname: "web-1",
  },
  ...{ dns: { server: "10.101.1.1", search: [] }, mounts: [], restart: "always" },
};

test("an image's root is taken as it is, with the machine's init and the instance's own names over it", () => {
  const root = imageRoot("/tank/roots/web", spec, {
    paths: instancePaths({ root: "/r", runDir: "/run/i", logDir: "/l" }, spec.id),
    programs: { tiniStatic: "/usr/bin/tini-static" },
  });
  const arch = "amd64" as const;
  const config = ociSpec({
    ...{
      spec,
      root,
      arch,
      init: IMAGE_INIT,
      hidden: [],
      binds: [],
      devices: [],
      cgroup: "x",
      netns: "/run/netns/x",
    },
    ...{ rootfs: "/run/i/rootfs", user: { uid: 0, gid: 0, home: "/root", groups: [] } },
  });
  expect(config.root).toEqual({ path: "/tank/roots/web", readonly: false });
  const targets = config.mounts.map(({ destination }) => destination);
  for (const hidden of ["/usr", "/run", "/tmp", "/var/tmp"]) expect(targets).not.toContain(hidden);
  expect(targets.indexOf(IMAGE_INIT)).toBeGreaterThan(targets.indexOf("/dev"));
  expect(targets).toEqual(expect.arrayContaining(["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]));
  expect(config.process.args[0]).toBe(IMAGE_INIT);
});

test("a field of the spec counts before that of its image", () => {
  const image = {
    ...{ entrypoint: ["/entry"], command: ["serve"], env: { A: "1", B: "1" }, user: "", workingDir: "" },
    ...{ stopSignal: "2", volumes: [] },
  };
  const plain = { ...spec, env: { B: "2" } };
  expect(withProgram(plain, image)).toMatchObject({
    ...{ entrypoint: ["/entry"], command: ["serve"], env: { A: "1", B: "2" }, user: "0", workdir: "/" },
    stopSignal: "SIGINT",
  });
  expect(withProgram({ ...plain, entrypoint: ["/other"] }, image)).toMatchObject({
    ...{ entrypoint: ["/other"], command: [] },
  });
  expect(withProgram({ ...plain, command: ["x"], stopSignal: "SIGQUIT" }, image)).toMatchObject({
    ...{ entrypoint: ["/entry"], command: ["x"], stopSignal: "SIGQUIT" },
  });
  expect(() => withProgram(plain, { ...image, entrypoint: [], command: [] })).toThrow(/command is empty/);
  expect([signalName("SIGRTMIN+3"), signalName("KILL"), signalName(undefined)]).toEqual([
    undefined,
    "SIGKILL",
    undefined,
  ]);
});

test.each([
  ["", 0, 0, "/", []],
  ["web", 1234, 1235, "/home/web", [50]],
  ["1234", 1234, 1235, "/home/web", [50]],
  ["web:staff", 1234, 50, "/home/web", []],
  ["77", 77, 0, "/", []],
  ["77:88", 77, 88, "/", []],
] as const)("the image's user %j is looked up in its own accounts", (user, uid, gid, home, groups) => {
  const passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:1234:1235::/home/web:/bin/sh\n";
  const found = imageUser(user || "0", user === "" ? "" : passwd, "staff:x:50:web\nweb:x:1235:\n");
  expect(found).toEqual({ uid, gid, home, groups });
});

test("a user or group that the image does not have is refused", () => {
  for (const user of ["nobody", "web:staff", "0:wheel", "1:2:3", "4294967295", "1:4294967295"])
    expect(() => imageUser(user, "", "")).toThrow(/no user/);
});

test("further groups are looked up in the image's own, and an unknown name is refused", () => {
  const user = { uid: 7, gid: 7, home: "/", groups: [50] };
  const of = { group: "staff:x:50:web\nvideo:x:44:\n", of: "image" } as const;
  expect(withGroups(user, ["video", "50", "1001"], of).groups).toEqual([50, 44, 1001]);
  for (const name of ["audio", "4294967295"])
    expect(() => withGroups(user, [name], of)).toThrow(`no group "${name}" in the image`);
});
