import { describe, expect, it } from "vitest";
import { parseMachineAdd, parseTarget, scopeOf, targetText } from "./input.ts";

const HUGE = "a".repeat(64 * 1024);
const NASTY = [
  "$(reboot)",
  "`id`",
  "a;b",
  "a b",
  "a&&b",
  "a|b",
  "-oProxyCommand=x",
  "--help",
  "../../etc",
  "a/b",
  "a\0b",
  "a\nb",
  "a\n",
  "'a'",
  '"a"',
  "a*",
  "ä",
  "",
  HUGE,
];

describe("a target", () => {
  it.each([
    ["root@203.0.113.7", { user: "root", host: "203.0.113.7", port: 22 }],
    ["root@m2.example.test:2222", { user: "root", host: "m2.example.test", port: 2222 }],
    ["_ops@[2001:db8::7]:22", { user: "_ops", host: "2001:db8::7", port: 22 }],
  ])("%s is read, and shown as it was given", (text, target) => {
    expect(parseTarget(text)).toEqual(target);
    expect(parseTarget(targetText(target))).toEqual(target);
    expect(parseMachineAdd({ target })).toEqual({ ok: true, input: { target } });
  });

  it.each([
    ...NASTY,
    "m2",
    "@m2",
    "root@",
    "root@m2:0",
    "root@m2:65536",
    "root@m2:22x",
    "a@b@c",
    "root@[m2]",
  ])("%j is refused", (text) => expect(parseTarget(text)).toBeUndefined());

  it.each(NASTY)("with %j as its host or user is refused", (text) => {
    expect(parseTarget(`root@${text}`)).toBeUndefined();
    expect(parseTarget(`${text}@m2`)).toBeUndefined();
    expect(parseMachineAdd({ target: { user: text, host: "m2", port: 22 } }).ok).toBe(false);
    expect(parseMachineAdd({ target: { user: "root", host: text, port: 22 } }).ok).toBe(false);
  });

  it("has a lease of its own", () => {
    const hosts = ["a.b", "a-b", "a", "b", "::1", "1::"];
    const scopes = hosts.flatMap((host) => [22, 2222].map((port) => scopeOf({ user: "root", host, port })));
    expect(new Set(scopes).size).toBe(scopes.length);
    // What the store accepts as a key.
    for (const scope of scopes) expect(scope).toMatch(/^[A-Za-z0-9_=:/-]+(\.[A-Za-z0-9_=:/-]+)*$/);
    expect(scopeOf({ user: "root", host: "M2.Example", port: 22 })).toBe(
      scopeOf({ user: "admin", host: "m2.example", port: 22 }),
    );
  });
});

describe("the other fields", () => {
  const target = "root@203.0.113.7";

  it.each(["name", "region", "az"])("%s: a hostile value is refused, naming the field", (field) => {
    for (const value of [...NASTY, 7, null, {}, []]) {
      const parsed = parseMachineAdd({ target, [field]: value });
      expect(parsed).toMatchObject({ ok: false, refusals: [{ code: "invalid_input" }] });
      if (parsed.ok) continue;
      const [refusal] = parsed.refusals;
      expect(refusal?.message).toContain(`${field}:`);
      expect(refusal?.message.length).toBeLessThan(400);
      expect(refusal?.message).not.toMatch(/[\0\n]/);
    }
  });

  it("a name starts with a letter, a zone need not", () => {
    expect(parseMachineAdd({ target, name: "1web" }).ok).toBe(false);
    expect(parseMachineAdd({ target, az: "1" }).ok).toBe(true);
    expect(parseMachineAdd({ target, zfsRoot: "tank/ployz" })).toMatchObject({
      ok: true,
      input: { zfsRoot: "tank/ployz" },
    });
  });

  it("all mistakes are reported at once", () => {
    const parsed = parseMachineAdd({
      target: "x",
      name: "-",
      region: "_",
      runtime: "vm",
      zfsRoot: "-o",
      [`k\n${HUGE}`]: 1,
    });
    if (parsed.ok) throw new Error("accepted");
    expect(parsed.refusals.length).toBe(6);
    for (const { message } of parsed.refusals) expect(message).not.toContain("\n");
  });

  it.each([null, undefined, 7, "root@m2", [], JSON.parse('{"__proto__":{"target":"root@m2"}}')])(
    "%j is no input",
    (raw) => {
      expect(parseMachineAdd(raw).ok).toBe(false);
    },
  );
});
