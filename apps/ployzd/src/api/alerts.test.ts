import { PloyzError } from "@ployz/errors";
import type { AlertRecord } from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { expect, test } from "vitest";
import { alertList } from "./alerts.ts";

const record: AlertRecord = {
  ...{ name: "ops", format: "json", to: "https://hooks.example.com", version: "1", at: "", by: "me" },
};
const condition = {
  ...{ code: "store_unreachable", about: "", message: "the store does not answer", hint: "", since: "" },
};

test("alerts are listed from the store, and from this machine's copy while it is away", async () => {
  const store = createMemoryStore({ clock: createVirtualClock() });
  const copy = { records: () => [record], state: () => ({ open: [condition], outbox: [] }) };
  expect(await alertList({ store, alerts: copy })).toEqual({ kind: "alerts", alerts: [], conditions: [] });
  const away = () => Promise.reject(new PloyzError({ code: "store_unavailable", message: "no quorum" }));
  const without = { ...store, facts: { ...store.facts, list: away, get: away } };
  expect(await alertList({ store: without, alerts: copy })).toMatchObject({
    ...{ alerts: [{ name: "ops", state: "new" }], conditions: [condition], copy: true },
  });
  const broken = () => Promise.reject(new Error("broken"));
  await expect(
    alertList({ store: { ...store, facts: { ...store.facts, list: broken } }, alerts: copy }),
  ).rejects.toThrow("broken");
});
