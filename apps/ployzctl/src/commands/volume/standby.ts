import type { Command } from "../../command.ts";
import { usage } from "../../errors.ts";
import { CHANGE, PREVIEW, YES } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { needDuration, needInNamespace } from "../../values.ts";
import { volume } from "./argument.ts";

export const standbyCommands: readonly Command[] = [
  {
    path: ["volume", "standby", "add"],
    summary: "Keep a second copy of a volume on another machine",
    prints: CHANGE,
    details: [
      "The machine gets all of the volume first, then by a schedule what has changed. Its copy is read-only, and no service starts on it. A manifest without standbys keeps it.",
    ],
    args: [volume],
    options: {
      to: {
        type: "text",
        value: "MACHINE",
        source: "machine",
        summary: "The machine of the copy; required",
        sets: ["machine"],
      },
      every: {
        type: "text",
        value: "TIME",
        summary: "How often changes are sent to all its standbys; default 1m",
      },
      ...PREVIEW,
    },
    examples: ["ployzctl volume standby add prod/pgdata --to m3 --every 30s"],
    async run(context, input) {
      const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
      const [to, every] = [input.text("to"), input.text("every")];
      if (to === undefined) throw usage("--to MACHINE is missing", "ployzctl machine ls");
      const everyMs = every === undefined ? undefined : await needDuration("--every", every);
      if (everyMs !== undefined && (everyMs < 1000 || everyMs > 86_400_000))
        throw usage("--every must be from 1s to 24h");
      const machine = await needLabel("--to", to);
      const asked = { namespace, volume: name, machine, ...(everyMs !== undefined && { everyMs }) };
      const { change } = await import("../../operation/change.ts");
      return change(context, { primitive: "volume-standby-add", input: asked }, input.flag("preview"));
    },
  },
  {
    path: ["volume", "standby", "ls"],
    summary: "List standbys of volumes: how far they are behind",
    prints: ["standbys"],
    args: [{ name: "namespace", summary: "Only this namespace", source: "namespace" }],
    examples: ["ployzctl volume standby ls prod"],
    async run(context, input) {
      const name = input.argument("namespace");
      const namespace = name === undefined ? undefined : await needLabel("NAMESPACE", name);
      return (await context.client()).request("GET /v1/standbys", {
        query: namespace === undefined ? {} : { namespace },
        signal: context.signal,
      });
    },
  },
  {
    path: ["volume", "standby", "sync"],
    summary: "Copy the last changes of a volume to a standby now",
    prints: CHANGE,
    args: [volume],
    options: {
      to: {
        type: "text",
        value: "MACHINE",
        source: "machine",
        summary: "The standby's machine; required",
        sets: ["machine"],
      },
      ...PREVIEW,
    },
    examples: ["ployzctl volume standby sync prod/pgdata --to m3"],
    async run(context, input) {
      const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
      const to = input.text("to");
      if (to === undefined) throw usage("--to MACHINE is missing", "ployzctl volume standby ls");
      const asked = { namespace, volume: name, machine: await needLabel("--to", to) };
      const { change } = await import("../../operation/change.ts");
      return change(context, { primitive: "volume-standby-sync", input: asked }, input.flag("preview"));
    },
  },
  {
    path: ["volume", "standby", "rm"],
    summary: "Remove standbys of a volume",
    prints: CHANGE,
    details: ["The copy stays for the retention time, as a retired one."],
    args: [volume],
    options: {
      from: {
        type: "text",
        value: "MACHINE",
        source: "machine",
        summary: "Only the one on this machine",
        sets: ["machine"],
      },
      ...PREVIEW,
      ...YES,
    },
    examples: ["ployzctl volume standby rm prod/pgdata --from m3"],
    async run(context, input) {
      const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
      const from = input.text("from");
      const asked = {
        ...{ namespace, volume: name },
        ...(from !== undefined && { machine: await needLabel("--from", from) }),
      };
      const { changeAfterAsking } = await import("../../operation/change.ts");
      const which = from === undefined ? "all standbys" : `the standby on ${from}`;
      return changeAfterAsking(
        context,
        { primitive: "volume-standby-rm", input: asked },
        { input, question: `Give up ${which} of ${namespace}/${name}?` },
      );
    },
  },
];
