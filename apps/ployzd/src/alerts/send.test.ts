import { expect, it } from "vitest";
import { send } from "./send.ts";

const record = { name: "ops", format: "json" as const, to: "http://127.0.0.1:1" };
const message = { id: "x", at: "2026-01-01T00:00:00Z", cluster: "c", begun: [], ended: [] };

it("says in words why a message could not be sent, and not the URL", async () => {
  const sent = send(record, message, { to: "http://127.0.0.1:1/secret" }, new AbortController().signal);
  await expect(sent).rejects.toMatchObject({
    code: "alert_failed",
    message:
      "http://127.0.0.1:1 did not take the message of the alert ops: no request can be sent to its URL",
  });
});
