import { expect, it } from "vitest";
import { takeNotifier } from "./notify.ts";

it("leaves no way to the supervisor to the programs that a service starts", async () => {
  const env = { NOTIFY_SOCKET: "/nonexistent", WATCHDOG_USEC: "0", WATCHDOG_PID: "1", PATH: "/bin" };
  takeNotifier(env, () => {});
  expect(env).toEqual({ PATH: "/bin" });
});

it("says nothing where no supervisor asked, and continues where it cannot", async () => {
  const failed: unknown[] = [];
  await takeNotifier({}, (error) => failed.push(error)).ready();
  expect(failed).toEqual([]);
  await takeNotifier({ NOTIFY_SOCKET: "/nonexistent/notify" }, (error) => failed.push(error)).ready();
  expect(failed).toHaveLength(1);
});
