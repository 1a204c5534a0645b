import { expect, test } from "vitest";
import { listensOf, reachedAt } from "../src/commands/dev/dev.ts";

test.each([
  [[], undefined, ["127.0.0.1:8080"]],
  [[], "0.0.0.0:80", ["0.0.0.0:80"]],
  [[], ["0.0.0.0:80", "[::]:80"], ["0.0.0.0:80", "[::]:80"]],
  [["127.0.0.1:81", "[::1]:81"], "0.0.0.0:80", ["127.0.0.1:81", "[::1]:81"]],
] as const)(
  "the gateway of dev listens where it is asked to, or configured: %j %j",
  (asked, configured, listens) => {
    expect(listensOf(asked, configured)).toEqual(listens);
  },
);

test.each([
  [["0.0.0.0:80", "[::]:80"], "http://127.0.0.1:80", "80"],
  [["[::1]:8080"], "http://[::1]:8080", "8080"],
  [["192.0.2.7:81"], "http://192.0.2.7:81", "81"],
] as const)("dev prints where the gateway is reached: %j", (listens, url, port) => {
  expect(reachedAt(listens)).toEqual({ url, port });
});
