import { expect, it } from "vitest";
import { type Login, operator } from "../src/operator.ts";

const KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIAtest";
const FILES: Readonly<Record<string, string>> = {
  "/run/auth": `publickey ssh-ed25519 ${KEY}\n`,
  "/root/.ssh/authorized_keys": `ssh-ed25519 AAAAother bob@desk\nrestrict,pty ssh-ed25519 ${KEY} alice@laptop\n`,
  "/etc/passwd": "root:x:0:0::/root:/bin/sh\ncarol:x:1000:1000::/home/carol:/bin/sh\n",
};
const by = (env: Login["env"], more: Readonly<Record<string, string>> = {}) =>
  operator({ env, uid: 0, host: "m1", read: (path) => ({ ...FILES, ...more })[path] });
const root = { USER: "root", HOME: "/root" };

it.each([
  ["root without a login", root, {}, "root@m1"],
  ["who used sudo", { ...root, SUDO_USER: "dave", SSH_USER_AUTH: "/run/auth" }, {}, "dave@m1"],
  ["the comment of the session's SSH key", { ...root, SSH_USER_AUTH: "/run/auth" }, {}, "alice@laptop"],
  [
    "root, by a key without a comment",
    { ...root, SSH_USER_AUTH: "/run/auth" },
    { "/root/.ssh/authorized_keys": `ssh-ed25519 ${KEY}\n` },
    "root@m1",
  ],
  ["root, by a password", { ...root, SSH_USER_AUTH: "/run/auth" }, { "/run/auth": "password\n" }, "root@m1"],
  ["who logged in before su", root, { "/proc/self/loginuid": "1000" }, "carol@m1"],
  ["root, whose login is root's", root, { "/proc/self/loginuid": "0" }, "root@m1"],
  ["root, whom no login started", root, { "/proc/self/loginuid": "4294967295" }, "root@m1"],
])("an operation is by %s", (_, env, files, expected) => {
  expect(by(env, files)).toBe(expected);
});
