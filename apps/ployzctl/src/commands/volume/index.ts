import type { Command } from "../../command.ts";
import { CHANGE, PREVIEW, YES } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { needInNamespace } from "../../values.ts";
import { volume } from "./argument.ts";
import { standbyCommands } from "./standby.ts";

export const volumeCommands: readonly Command[] = [
  {
    path: ["volume", "ls"],
    summary: "List volumes: as committed, and as their machines have them",
    prints: ["volumes"],
    args: [{ name: "namespace", summary: "Only this namespace", source: "namespace" }],
    options: {
      all: {
        type: "flag",
        short: "a",
        summary: "Also list retired copies and copies in progress",
      },
    },
    examples: ["ployzctl volume ls", "ployzctl volume ls prod --all"],
    async run(context, input) {
      const name = input.argument("namespace");
      const namespace = name === undefined ? undefined : await needLabel("NAMESPACE", name);
      const found = await (await context.client()).request("GET /v1/volumes", {
        query: namespace === undefined ? {} : { namespace },
        signal: context.signal,
      });
      if (input.flag("all")) return found;
      return {
        ...found,
        volumes: found.volumes.filter(({ committed, observed }) => committed || observed?.standby),
      };
    },
  },
  {
    path: ["volume", "show"],
    summary: "Show a volume and its other copies",
    prints: ["volume"],
    args: [volume],
    examples: ["ployzctl volume show prod/pgdata"],
    run: async (context, input) => (await import("./volume.ts")).show(context, input),
  },
  {
    path: ["volume", "snapshots"],
    summary: "List the snapshots of a volume, oldest first",
    prints: ["snapshots"],
    args: [volume],
    examples: ["ployzctl volume snapshots prod/pgdata"],
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
    summary: "Take a snapshot of a volume",
    prints: CHANGE,
    details: [
      "A named snapshot is kept as long as the volume. One without a name, like those of operations, is deleted after the retention time.",
    ],
    args: [volume, { name: "name", summary: "Name of the snapshot" }],
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
    summary: "Delete expired snapshots and retired copies of a namespace",
    prints: CHANGE,
    details: ["The retention of each machine's configuration decides what has expired."],
    args: [{ name: "namespace", summary: "Name of the namespace", required: true, source: "namespace" }],
    options: PREVIEW,
    examples: ["ployzctl volume prune prod -n"],
    async run(context, input) {
      const namespace = await needLabel("NAMESPACE", input.argument("namespace"));
      const { change } = await import("../../operation/change.ts");
      return change(context, { primitive: "volume-prune", input: { namespace } }, input.flag("preview"));
    },
  },
  {
    path: ["volume", "create"],
    summary: "Create an empty volume on a machine",
    prints: CHANGE,
    args: [volume],
    options: {
      machine: { type: "text", value: "MACHINE", source: "machine", summary: "The machine; required" },
      quota: { type: "text", value: "SIZE", summary: "Limit on its space, e.g. 20G" },
      recordsize: { type: "text", value: "SIZE", summary: "Record size, a power of two up to 128K" },
      scope: {
        type: "text",
        choices: ["single", "shared"],
        summary: "One writer, or any number of instances on one machine; default single",
      },
      ...PREVIEW,
    },
    examples: ["ployzctl volume create prod/pgdata --machine m2 --quota 20G --recordsize 16K"],
    run: async (context, input) => (await import("./volume.ts")).create(context, input),
  },
  {
    path: ["volume", "fork"],
    summary: "Clone a volume under another name, in constant time",
    prints: CHANGE,
    args: [
      { name: "source", summary: "NAMESPACE/VOLUME to clone", required: true, source: "volume" },
      { name: "target", summary: "NAMESPACE/VOLUME to create", required: true, source: "volume" },
    ],
    options: {
      to: {
        type: "text",
        value: "MACHINE",
        source: "machine",
        summary: "Create it on another machine; this copies the data",
      },
      snapshot: { type: "text", value: "NAME", summary: "Clone this snapshot instead: volume snapshots" },
      ...PREVIEW,
    },
    examples: ["ployzctl volume fork prod/pgdata analytics/pgdata"],
    run: async (context, input) => (await import("./volume.ts")).fork(context, input),
  },
  {
    path: ["volume", "restore"],
    summary: "Restore a volume from one of its snapshots",
    prints: CHANGE,
    details: [
      "The services that use it stop, and start again on the restored data. The present data is kept for the retention time.",
    ],
    args: [volume, { name: "snapshot", summary: "Name of the snapshot: volume snapshots", required: true }],
    options: PREVIEW,
    examples: ["ployzctl volume restore prod/pgdata before-upgrade"],
    run: async (context, input) => (await import("./volume.ts")).restore(context, input),
  },
  {
    path: ["volume", "export"],
    summary: "Export a volume to a file, as a backup or for another cluster",
    prints: [...CHANGE, "volume-exported"],
    details: [
      "Exports a new snapshot, or the one that --snapshot names; services keep running. The file appears when it is complete and its checksum was read back. It is not encrypted.",
    ],
    args: [volume, { name: "file", summary: "The file to write, or - for stdout", source: "file" }],
    options: {
      output: {
        type: "text",
        short: "o",
        value: "FILE",
        source: "file",
        summary: "The same as FILE",
      },
      snapshot: { type: "text", value: "NAME", summary: "Export this snapshot: volume snapshots" },
      since: {
        type: "text",
        value: "NAME",
        summary: "Only what has changed since this snapshot: one that was exported before",
      },
    },
    examples: [
      "ployzctl volume export prod/pgdata -o pgdata.ployz-volume",
      "ployzctl volume export prod/pgdata -o tuesday.ployz-volume --since monday",
      "ployzctl volume export prod/pgdata - | ssh backup 'cat > pgdata.ployz-volume'",
    ],
    run: async (context, input) => (await import("./file.ts")).exportVolume(context, input),
  },
  {
    path: ["volume", "import"],
    summary: "Import a volume from files that volume export wrote",
    prints: CHANGE,
    details: [
      "The name must be unused. A damaged file is refused and leaves nothing behind. Quota and record size come from the file.",
      "Of a volume that was exported --since, name the whole file first, then each further one in order. The snapshots of all of them are in the new volume.",
    ],
    args: [
      volume,
      {
        name: "file",
        ...{ summary: "The exported file, or - for stdin", required: true, many: true, source: "file" },
      },
    ],
    options: {
      machine: {
        type: "text",
        value: "MACHINE",
        source: "machine",
        summary: "The machine; default: this one",
      },
      ...PREVIEW,
    },
    examples: [
      "ployzctl volume import staging/pgdata pgdata.ployz-volume --machine m2",
      "ployzctl volume import staging/pgdata monday.ployz-volume tuesday.ployz-volume",
    ],
    run: async (context, input) => (await import("./file.ts")).importVolume(context, input),
  },
  ...standbyCommands,
  {
    path: ["volume", "rm"],
    summary: "Remove a volume that no service uses",
    prints: CHANGE,
    details: ["Its data is kept for the retention time."],
    args: [volume],
    options: { ...PREVIEW, ...YES },
    examples: ["ployzctl volume rm prod/pgdata"],
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
