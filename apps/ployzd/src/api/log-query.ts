import { PloyzError } from "../error-codes.ts";
import type { LogQuery } from "./logs.ts";

type Asked = Readonly<Record<string, string | undefined>>;

/** Lines of each instance, without `tail` and a time. */
const LINES = 100;
const FORMS = {
  since: /^\d{1,15}$/,
  until: /^\d{1,15}$/,
  tail: /^\d{1,9}$/,
  stream: /^(stdout|stderr)$/,
  instance: /^[a-z0-9.-]{1,200}$/,
} as const;

/** @throws PloyzError `invalid_input`, naming the field. */
export function logQuery(query: Asked): LogQuery {
  for (const [field, form] of Object.entries(FORMS)) {
    const value = query[field];
    if (value !== undefined && !form.test(value))
      throw new PloyzError({
        code: "invalid_input",
        message: `${field}: ${JSON.stringify(value.slice(0, 60))} is not valid`,
        details: { field },
      });
  }
  const number = (field: string) => (query[field] === undefined ? undefined : Number(query[field]));
  const [sinceMs, untilMs] = [number("since"), number("until")];
  const tail = number("tail") ?? (sinceMs === undefined && untilMs === undefined ? LINES : undefined);
  const { stream, instance } = query;
  return {
    follow: query.follow === "true",
    ...(tail !== undefined && { tail }),
    ...(sinceMs !== undefined && { sinceMs }),
    ...(untilMs !== undefined && { untilMs }),
    ...(query.previous === "true" && { previous: true }),
    ...(instance !== undefined && { instance }),
    ...((stream === "stdout" || stream === "stderr") && { stream }),
  };
}
