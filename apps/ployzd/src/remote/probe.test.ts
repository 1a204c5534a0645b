import { describe, expect, it } from "vitest";
import { parseProbe } from "./probe.ts";

const VERSION = '{"version":"1.2.3","build":"abc"}';
const MEMBER = '{"v":1,"cluster":{"id":"c-1"},"machine":{"id":"m2","operation":"01X"}}';

describe("what the probe printed", () => {
  it("is read", () => {
    const text = [
      ...["hostname=m2.example.test", "os=Debian GNU/Linux 12 (bookworm)", "arch=x86_64", "uid=0"],
      ...["systemd=yes", "disk=2048", "packager=apt", "missing=haproxy", "missing=iproute2", "docker=yes"],
      ...[
        `ployz=${VERSION}`,
        `membership=${MEMBER}`,
        "taken=tcp/80",
        "route=default",
        "route=192.0.2.0/24",
        "",
      ],
    ].join("\n");
    expect(parseProbe(text, "SHA256:k", 0)).toEqual({
      ...{
        hostKey: "SHA256:k",
        hostname: "m2.example.test",
        os: "Debian GNU/Linux 12 (bookworm)",
        arch: "x64",
      },
      ...{ root: true, systemd: true, diskFreeBytes: 2048 * 1024, missingPackages: ["haproxy", "iproute2"] },
      ...{ packageManager: "apt", dockerRunning: true, portsTaken: ["tcp/80"], routes: ["192.0.2.0/24"] },
      ployz: { version: "1.2.3", build: "abc", cluster: "c-1", machine: "m2", joinedBy: "01X" },
    });
  });

  it.each([
    ["nothing", ""],
    ["a banner of the login shell", "Welcome!\n*** maintenance at 5 ***\n"],
    ["half an installation", "ployz={\nmembership=nonsense\n"],
    ["a version without a build", 'ployz={"version":"1"}'],
    ["no object", "ployz=null\nmembership=[]\n"],
  ])("%s is a machine without Ployz that fits nothing", (_, text) => {
    const facts = parseProbe(text, "k", 0);
    expect(facts).toMatchObject({ root: false, arch: "other", packageManager: "none", diskFreeBytes: 0 });
    expect(facts.ployz).toBeUndefined();
  });

  it("tells a clock that is a minute or more off", () => {
    const off = (time: number) => parseProbe(`time=${time}`, "k", 1_000_000_000).clockOffMs;
    expect([off(1_003_600), off(996_400), off(1_000_030)]).toEqual([3_600_000, -3_600_000, undefined]);
  });

  it("a membership that cannot be read is none", () => {
    const of = (membership: string) => parseProbe(`ployz=${VERSION}\nmembership=${membership}`, "k", 0).ployz;
    expect(of("{")).toEqual({ version: "1.2.3", build: "abc" });
    expect(of('{"cluster":7,"machine":null}')).toEqual({ version: "1.2.3", build: "abc" });
    expect(of("null")).toEqual({ version: "1.2.3", build: "abc" });
  });
});
