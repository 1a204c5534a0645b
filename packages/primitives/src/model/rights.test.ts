import { expect, test } from "vitest";
import { forbidden } from "./rights.ts";

const KEPT = ["/var/lib/ployz", "/run/ployz", "/var/run/docker.sock"];
const why = (source: string, hostPaths: readonly string[], readOnly = false) =>
  forbidden(
    { binds: { "/x": { source, ...(readOnly && { readOnly: true as const }) } } },
    { capabilities: [], hostPaths, keptPaths: KEPT },
    [],
  );
const ALLOWED_BY = "its configuration would with policy.host_paths = ";

test.each<[string, readonly string[], boolean?]>([
  ["/srv/media", ["/srv/media"]],
  ["/srv/media/films", ["/etc", "/srv/media"]],
  ["/etc/timezone", ["/etc/timezone:ro"], true],
  ["/srv/media/a", ["/srv/media:ro", "/srv/media/a"]],
  ["/var/run/docker.sock", ["/var/run/docker.sock"]],
  ["/", ["/"]],
  ["/srv", ["/"]],
  ["/proc/sys", ["/proc/sys"]],
  ["/var", ["/var", "/var/lib/ployz", "/var/run/docker.sock"]],
  ["/var/log", ["/var"]],
])("%s is allowed by %j", (source, hostPaths, readOnly) =>
  expect(why(source, hostPaths, readOnly)).toBeUndefined(),
);

test.each<[string, readonly string[], boolean, string]>([
  ["/srv/media", [], false, `does not allow binds /srv/media: ${ALLOWED_BY}["/srv/media"]`],
  [
    "/srv/mediator",
    ["/srv/media"],
    true,
    `binds /srv/mediator: ${ALLOWED_BY}["/srv/media", "/srv/mediator:ro"]`,
  ],
  ["/srv", ["/srv/media"], false, "does not allow binds /srv:"],
  ["/etc/timezone", ["/etc/timezone:ro"], false, "allows binds /etc/timezone with read_only = true only"],
  ["/var/lib/ployz/identity", ["/var"], true, "does not allow binds /var/lib/ployz/identity:"],
  ["/var/lib/ployz/identity", ["/"], false, "does not allow binds /var/lib/ployz/identity:"],
  ["/var/run/docker.sock", ["/var/run"], false, "does not allow binds /var/run/docker.sock:"],
  ["/var", ["/var"], false, "does not allow binds /var, which holds /var/lib/ployz:"],
  ["/proc/sys", ["/proc"], false, "does not allow binds /proc/sys:"],
])("%s is not allowed by %j, read-only %s", (source, hostPaths, readOnly, reason) =>
  expect(why(source, hostPaths, readOnly)).toContain(reason),
);

test("a device needs its line, or that of its folder", () => {
  const device = (path: string, devices: readonly string[]) =>
    forbidden({ devices: { "/dev/x": path } }, { capabilities: [], devices }, []);
  expect(device("/dev/dri/card0", ["/dev/dri"])).toBeUndefined();
  expect(device("/dev/fuse", ["/dev/dri"])).toBe(
    'does not allow devices /dev/fuse: its configuration would with policy.devices = ["/dev/dri", "/dev/fuse"]',
  );
});
