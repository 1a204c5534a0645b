import type { Command } from "../../command.ts";
import { PREVIEW, YES } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { needInNamespace } from "../../values.ts";

const volume = { name: "volume", summary: "NAMESPACE/VOLUME", required: true } as const;

export const volumeCommands: readonly Command[] = [
  {
    path: ["volume", "ls"],
    summary: "Volumes, what was committed beside what their machines have",
    args: [{ name: "namespace", summary: "Of this namespace only" }],
    options: {
      all: {
        type: "flag",
        short: "a",
        summary: "Also copies that are retired, or that an operation is making",
      },
    },
    async run(context, input) {
      const name = input.argument("namespace");
      const namespace = name === undefined ? undefined : await needLabel("NAMESPACE", name);
      const found = await (await context.client()).request("GET /v1/volumes", {
        query: namespace === undefined ? {} : { namespace },
        signal: context.signal,
      });
      if (input.flag("all")) return found;
      return { ...found, volumes: found.volumes.filter(({ committed }) => committed) };
    },
  },
  {
    path: ["volume", "show"],
    summary: "One volume, and the other copies that there are of it",
    args: [volume],
    run: async (context, input) => (await import("./volume.ts")).show(context, input),
  },
  {
    path: ["volume", "snapshots"],
    summary: "The snapshots of a volume, oldest first; each is named after the operation that took it",
    args: [volume],
    async run(context, input) {
      const { namespace: ns, name } = await needInNamespace("VOLUME", input.argument("volume"));
      return (await context.client()).request("GET /v1/volumes/:ns/:name/snapshots", {
        params: { ns, name },
        signal: context.signal,
      });
    },
  },
  {
    path: ["volume", "snapshot"],
    summary: "Take a snapshot of a volume as it is now",
    details:
      "One with a name stays as long as the volume; one without goes with the retention, as those of operations do.",
    args: [volume, { name: "name", summary: "Its name" }],
    options: PREVIEW,
    examples: ["ployzctl volume snapshot prod/pgdata before-upgrade"],
    async run(context, input) {
      const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
      const { change } = await import("../../operation/change.ts");
      const called = input.argument("name");
      const asked = {
        namespace,
        volume: name,
        ...(called !== undefined && { name: await needLabel("NAME", called) }),
      };
      return change(context, { primitive: "volume-snapshot", input: asked }, input.flag("preview"));
    },
  },
  {
    path: ["volume", "prune"],
    summary: "Let go of old snapshots and retired copies of a namespace, by the retention of each machine",
    args: [{ name: "namespace", summary: "Its name", required: true }],
    options: PREVIEW,
    async run(context, input) {
      const namespace = await needLabel("NAMESPACE", input.argument("namespace"));
      const { change } = await import("../../operation/change.ts");
      return change(context, { primitive: "volume-prune", input: { namespace } }, input.flag("preview"));
    },
  },
  {
    path: ["volume", "create"],
    summary: "Make an empty volume on a machine, before any service uses it",
    args: [volume],
    options: {
      machine: { type: "text", value: "MACHINE", summary: "Where it is; required" },
      quota: { type: "text", value: "SIZE", summary: "Most space it may take, e.g. 20G" },
      recordsize: { type: "text", value: "SIZE", summary: "Record size, a power of two up to 128K" },
      scope: {
        type: "text",
        choices: ["single", "shared"],
        summary: "One writer, or any number of instances on its machine; default single",
      },
      ...PREVIEW,
    },
    examples: ["ployzctl volume create prod/pgdata --machine m2 --quota 20G --recordsize 16K"],
    run: async (context, input) => (await import("./volume.ts")).create(context, input),
  },
  {
    path: ["volume", "fork"],
    summary: "Copy a volume as it is now under another name: a clone, in the same time whatever its size",
    args: [
      { name: "source", summary: "NAMESPACE/VOLUME that is copied", required: true },
      { name: "target", summary: "NAMESPACE/VOLUME that is made", required: true },
    ],
    options: {
      to: { type: "text", value: "MACHINE", summary: "On another machine; the data is then sent there" },
      ...PREVIEW,
    },
    examples: ["ployzctl volume fork prod/pgdata analytics/pgdata"],
    run: async (context, input) => (await import("./volume.ts")).fork(context, input),
  },
  {
    path: ["volume", "restore"],
    summary:
      "Give a volume the content of one of its snapshots; what it holds now is kept for the retention time",
    details: "The services on it stop first, and start again on the restored content.",
    args: [volume, { name: "snapshot", summary: "As volume snapshots lists it", required: true }],
    options: PREVIEW,
    run: async (context, input) => (await import("./volume.ts")).restore(context, input),
  },
  {
    path: ["volume", "export"],
    summary: "Write a volume to a file: a backup, or to bring it into another cluster",
    details:
      "As it is now, by a snapshot that goes with the retention, or one that it has. What uses it runs on. The file appears\n" +
      "once it is whole, and has a checksum over all of it. It is as secret as the data.",
    args: [volume],
    options: {
      output: { type: "text", short: "o", value: "FILE", summary: "Where to write it; required" },
      snapshot: { type: "text", value: "NAME", summary: "One that it has, as volume snapshots lists it" },
    },
    examples: ["ployzctl volume export prod/pgdata -o pgdata.ployz-volume"],
    run: async (context, input) => (await import("./file.ts")).exportVolume(context, input),
  },
  {
    path: ["volume", "import"],
    summary: "Make a volume of a file that volume export has written, in this cluster or another",
    details:
      "Under a name that is free. A damaged file leaves nothing. Quota and record size are those of the file.",
    args: [volume, { name: "file", summary: "The file", required: true }],
    options: {
      machine: {
        type: "text",
        value: "MACHINE",
        summary: "Where it will be; default: the machine that is asked",
      },
      ...PREVIEW,
    },
    examples: ["ployzctl volume import staging/pgdata pgdata.ployz-volume --machine m2"],
    run: async (context, input) => (await import("./file.ts")).importVolume(context, input),
  },
  {
    path: ["volume", "rm"],
    summary: "Take a volume that nothing uses out of its namespace; its data is kept for the retention time",
    args: [volume],
    options: { ...PREVIEW, ...YES },
    async run(context, input) {
      const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
      const { changeAfterAsking } = await import("../../operation/change.ts");
      return changeAfterAsking(
        context,
        { primitive: "volume-rm", input: { namespace, volume: name } },
        { input, question: `Remove the volume ${namespace}/${name}?` },
      );
    },
  },
];
