import type { Argument, Command } from "../../command.ts";
import { CHANGE, PREVIEW } from "../../flags.ts";

const instance: Argument = {
  name: "instance",
  summary: "NAMESPACE/SERVICE, or NAMESPACE/SERVICE.N for one of several",
  required: true,
  source: "service",
};
const noRecord = { type: "flag", summary: "Leave the arguments out of the operation log" } as const;

export const streamCommands: readonly Command[] = [
  {
    path: ["exec"],
    prints: ["exec"],
    summary: "Run a program in a running instance",
    details: [
      "The program runs with the instance's user, environment, limits and network. Its exit code becomes the command's: 127 if there is no such program, 126 if it cannot run, 128 + n after signal n. Without -i its input is empty. It has no --json: stdout is the program's.",
      "Signals are passed on; a third Ctrl-C, or a lost connection, kills the program. The operation log lists who ran it and where, without its output.",
    ],
    args: [
      instance,
      { name: "command", summary: "The program and its arguments, after --", required: true, many: true },
    ],
    options: {
      stdin: { type: "flag", short: "i", summary: "Pass stdin to the program" },
      tty: { type: "flag", short: "t", summary: "Run it on a terminal" },
      "no-record": noRecord,
    },
    examples: [
      "ployzctl exec -it prod/web -- sh",
      "ployzctl exec prod/web.2 -- env",
      "ployzctl exec -i prod/db -- psql < dump.sql",
    ],
    run: async (context, input) => (await import("./exec.ts")).exec(context, input),
  },
  {
    path: ["run"],
    prints: ["exec", "run-started", ...CHANGE],
    summary: "Run a program in a new instance of a service, once",
    details: [
      "The instance has the service's image or bundle, environment, secrets, user and limits, and takes no requests. Without a command it runs the service's own. It is removed when its program ends; its log is kept: ployzctl logs NAMESPACE/SERVICE --instance ID.",
      "With --keep the instance stays after its end, with its files, and ps and run ls list it, until: ployzctl run stop ID.",
      "With -i or -t the program ends with the connection, and runs beside the image's entrypoint. Without them its output is shown, Ctrl-C is passed on, and a lost connection leaves it running, unless --rm is given.",
      "It runs on a machine that has an instance of the service. A service whose volume has a single writer is refused.",
      "With --with-volumes-of it is an operation, and has the volumes of that service, where that service has them. With --stop the service stands still meanwhile: requests wait at the gateways for at most a minute, and the same instance runs again afterwards, whatever becomes of the run, of this program, of the daemon or of the machine. Ctrl-C ends the run. With -i or -t it ends with the connection, too, and a lost one ends it. The namespace cannot be changed meanwhile. Its log is kept, and with --json the document of the operation is printed.",
    ],
    args: [
      { name: "service", summary: "NAMESPACE/SERVICE", required: true, source: "service" },
      { name: "command", summary: "The program and its arguments, after --", many: true },
    ],
    options: {
      stdin: { type: "flag", short: "i", summary: "Pass stdin to the program" },
      tty: { type: "flag", short: "t", summary: "Run it on a terminal" },
      detach: { type: "flag", short: "d", summary: "Print its id and leave it running" },
      rm: { type: "flag", summary: "Stop and remove it when the connection is lost" },
      "with-volumes-of": {
        ...{ type: "text", value: "NAMESPACE/SERVICE", source: "service" },
        summary: "Mount the volumes of this service",
      },
      stop: { type: "flag", summary: "Stop the service that has the volumes, and start it afterwards" },
      limit: {
        ...{ type: "text", value: "DURATION" },
        summary: "With --with-volumes-of: end the run after this time; default 1h, at most 24h",
      },
      ...PREVIEW,
      keep: { type: "flag", summary: "Keep it after its end, until: ployzctl run stop ID" },
      "no-record": noRecord,
    },
    examples: [
      "ployzctl run -it --rm prod/web -- bin/console",
      "ployzctl run prod/web -- bin/migrate up",
      "ployzctl run prod/web --detach -- bin/import",
      "ployzctl run prod/web --keep -- bin/report",
      "ployzctl run prod/db --with-volumes-of prod/db --stop -- bin/repair /data",
      "ployzctl run -it --rm prod/db --with-volumes-of prod/db --stop -- sh",
    ],
    run: async (context, input) => (await import("./run.ts")).runOnce(context, input),
  },
  {
    path: ["run", "ls"],
    prints: ["runs"],
    summary: "List runs",
    examples: ["ployzctl run ls"],
    run: async (context) => (await context.client()).request("GET /v1/runs", { signal: context.signal }),
  },
  {
    path: ["run", "stop"],
    prints: ["run-stopped"],
    summary: "Stop and remove a run, also one that was kept",
    args: [{ name: "id", summary: "Its id: ployzctl run ls", required: true }],
    examples: ["ployzctl run stop prod.web.run.k3f9x2ab"],
    run: async (context, input) => (await import("./run.ts")).stop(context, input),
  },
  {
    path: ["cp"],
    prints: ["copied"],
    summary: "Copy a file or folder from or to an instance",
    details: [
      "One of the two is INSTANCE:PATH, for example prod/web.1:/app/dump.sql. An existing folder receives the copy under its own name. The instance needs tar; to copy into one, sh too.",
    ],
    args: [
      { name: "from", summary: "A path, or INSTANCE:PATH", required: true, source: "file" },
      { name: "to", summary: "A path, or INSTANCE:PATH", required: true, source: "file" },
    ],
    options: { "no-record": noRecord },
    examples: ["ployzctl cp prod/web.1:/app/dump.sql .", "ployzctl cp ./seed prod/web:/tmp/seed"],
    run: async (context, input) => (await import("./copy.ts")).copy(context, input),
  },
  {
    path: ["port-forward"],
    prints: ["text"],
    summary: "Forward a local port to an instance, until Ctrl-C",
    args: [
      instance,
      {
        name: "ports",
        summary: "PORT of the instance, or LOCAL:PORT; PORT is a number or a port of the manifest",
        required: true,
      },
    ],
    options: { address: { type: "text", value: "ADDRESS", summary: "Where to listen; default 127.0.0.1" } },
    examples: ["ployzctl port-forward prod/db 5432", "ployzctl port-forward prod/web.2 8080:http"],
    run: async (context, input) => (await import("./forward.ts")).forward(context, input),
  },
];
