import { expect, test } from "vitest";
import { basicUsers } from "./basic-users.ts";

const SHA =
  "$6$saltsalt$gzY3OAolfMFSB9Ld7iMdOQlViFqO3IOPeU0zkHsD.58tcMxRAFD0Qjfi2sjus3i.8aqWarEvFPREqzp18Jm291";
const BCRYPT = "$2y$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC";

test("users are lines of name and hash", () => {
  expect(basicUsers(`# team\nann:${SHA}\r\nbob@x.test:${BCRYPT}\n\n`)).toEqual({
    ok: true,
    users: [
      { name: "ann", hash: SHA },
      { name: "bob@x.test", hash: BCRYPT },
    ],
  });
});

test.each([
  ["", "it names no user"],
  ["ann:secret", "line 1 is not name:hash"],
  [`ann:${SHA}\nbob`, "line 2 is not name:hash"],
  [`:${SHA}`, "line 1 is not"],
  [`a b:${SHA}`, "line 1 is not"],
  [`ann:${SHA}"`, "line 1 is not"],
  ["ann:$apr1$x$y", "line 1 is not"],
  [`ann:${SHA}\nann:${SHA}`, "line 2 names a user again"],
  [`ann:${BCRYPT.replace("$05$", "$12$")}`, "line 1 has a hash that takes too long"],
  [`ann:${SHA.replace("$6$", "$6$rounds=999999$")}`, "line 1 has a hash that takes too long"],
])("%j is refused, and the reason quotes no hash", (text, fault) => {
  const found = basicUsers(text);
  expect(found).toMatchObject({ ok: false, fault: expect.stringContaining(fault) });
  expect(JSON.stringify(found)).not.toContain("$");
});
