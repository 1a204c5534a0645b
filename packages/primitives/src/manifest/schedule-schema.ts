import Type from "typebox";
import * as patterns from "../model/patterns.ts";

export const closed = { additionalProperties: false } as const;

export const duration = (description: string) =>
  Type.String({
    pattern: patterns.DURATION,
    description: `${description} For example \`500ms\`, \`30s\`, \`2m\`, \`1h\`.`,
  });
const times = {
  cron: Type.Optional(
    Type.String({
      minLength: 9,
      maxLength: 200,
      description: "Five cron fields: minute, hour, day, month, weekday. For example `0 3 * * *`.",
    }),
  ),
  every: Type.Optional(duration("An interval, instead of `cron`.")),
  timezone: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 64,
      description: "IANA time zone of `cron`, such as `Europe/Berlin`. Default `UTC`.",
    }),
  ),
  jitter: Type.Optional(
    duration(
      "How much later it runs at most, so that not all begin at once: for each schedule always as much. Default none.",
    ),
  ),
};

/** When a job runs. */
export const schedule = Type.Object(
  {
    ...times,
    overlap: Type.Optional(
      Type.Enum(["skip", "wait"], {
        description:
          "When the run before has not ended: `skip` this one, or `wait` for that one; of several that wait, the last runs. Default `skip`.",
      }),
    ),
    deadline: Type.Optional(duration("How late it may start. Default 1m.")),
    missed: Type.Optional(
      Type.Enum(["report", "run-once"], {
        description:
          "For runs later than that: `report` them, or `run-once` the last of them. Default `report`.",
      }),
    ),
  },
  { ...closed, description: "When it runs: either `cron` or `every`." },
);

/** How many stay: a rule for snapshots or backups. */
export const keep = Type.Object(
  Object.fromEntries(
    (["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const).map((rule) => [
      rule,
      Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 1000,
          description: rule === "last" ? "The newest ones." : `The newest of each of the last ones, ${rule}.`,
        }),
      ),
    ]),
  ) as Record<"last" | "hourly" | "daily" | "weekly" | "monthly" | "yearly", Type.TOptional<Type.TInteger>>,
  { ...closed, minProperties: 1, description: "How many stay." },
);

/** Copies of a volume on other machines that follow it. */
export const standby = Type.Object(
  {
    machines: Type.Array(Type.String({ pattern: patterns.NAME, maxLength: 63, description: "A machine." }), {
      maxItems: 10,
      uniqueItems: true,
      description: "Machines that keep a copy. The volume's own machine among them keeps none.",
    }),
    every: Type.Optional(duration("How often the changes are sent. Default 1m.")),
  },
  { ...closed, description: "Second copies of the volume on other machines, minutes old at most." },
);

const program = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 100, description });

/** Backups of a volume by a schedule. */
export const backup = Type.Object(
  {
    ...times,
    repository: Type.String({
      pattern: patterns.NAME,
      maxLength: 63,
      description: "A repository of the cluster.",
    }),
    keep: Type.Optional(keep),
    before: Type.Optional(
      program(
        "A program with its arguments, run inside the instance that uses the volume, before its snapshot. When it fails, so does the backup.",
      ),
    ),
    after: Type.Optional(program("Likewise, after the snapshot; also when `before` or the snapshot failed.")),
    timeout: Type.Optional(duration("How long `before` and `after` may take, each. Default 1m.")),
    verify: Type.Optional(
      Type.Object(
        {
          ...times,
          job: Type.Optional(
            Type.String({
              pattern: patterns.NAME,
              maxLength: 63,
              description: "A job that checks the restored data.",
            }),
          ),
        },
        {
          ...closed,
          description: "When the newest backup is restored and compared: either `cron` or `every`.",
        },
      ),
    ),
  },
  {
    ...closed,
    description: "Backups to a repository outside the cluster, by a schedule: either `cron` or `every`.",
  },
);

/** Scheduled snapshots of a volume. */
export const snapshots = Type.Object(
  { ...times, keep },
  { ...closed, description: "Snapshots by a schedule: either `cron` or `every`, and how many stay." },
);
