import type { DoctorReport } from "../../api.ts";
import { type Page, remark, table } from "../page.ts";

const TONES = { ok: "ok", warn: "warn", fail: "bad" } as const;

export function doctorPage({ ok, checks }: DoctorReport): Page {
  const failed = checks.filter(({ state }) => state === "fail").length;
  return [
    table(
      "check",
      ["", "CHECK", "FOUND", "FIX"],
      checks.map(({ title, state, found, fix }) => [
        { text: state, tone: TONES[state] },
        title,
        found,
        state === "ok" ? "" : (fix ?? ""),
      ]),
      { empty: "nothing to check" },
    ),
    remark(ok ? { text: "all checks passed", tone: "ok" } : { text: `${failed} failed`, tone: "bad" }),
  ];
}
