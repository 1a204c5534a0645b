import type { Command } from "../../command.ts";
import { needLabel, needTarget } from "../../names.ts";
import { given } from "../../values.ts";

export const inspectCommands: readonly Command[] = [
  {
    path: ["status"],
    summary: "Show the whole cluster on one screen, with warnings and fixes",
    prints: ["status"],
    examples: ["ployzctl status"],
    run: async (context) => (await context.client()).request("GET /v1/status", { signal: context.signal }),
  },
  {
    path: ["doctor"],
    summary: "Check every precondition of this machine and the cluster",
    prints: ["doctor"],
    details: ["Each check prints ok, warn or fail, and how to fix it. Exit code 3 if one fails."],
    examples: ["ployzctl doctor"],
    run: async (context) => (await import("./doctor.ts")).doctor(context),
  },
  {
    path: ["ps"],
    summary: "List instances, committed and running",
    prints: ["instances"],
    args: [{ name: "target", summary: "NAMESPACE or NAMESPACE/SERVICE; default: all", source: "service" }],
    examples: ["ployzctl ps", "ployzctl ps prod/web"],
    async run(context, input) {
      const target = input.argument("target");
      const [namespace, service] =
        target === undefined ? [] : (await needTarget("TARGET", target)).split("/");
      const found = await (await context.client()).request("GET /v1/ps", {
        query: { ...given("namespace", namespace), ...given("service", service) },
        signal: context.signal,
      });
      if (service === undefined) return found;
      // A daemon from before 0.4 lists all services.
      return {
        ...found,
        instances: found.instances.filter((row) => row.service === service),
        ...(found.stopped && { stopped: found.stopped.filter((one) => one === target) }),
      };
    },
  },
  {
    path: ["top"],
    aliases: [["stats"]],
    summary: "Show CPU and memory of machines and instances, live",
    prints: ["usage"],
    args: [{ name: "target", summary: "NAMESPACE or NAMESPACE/SERVICE; default: all", source: "service" }],
    options: {
      once: {
        type: "flag",
        summary: "Measure once. The default where the output is no terminal, and with --json",
      },
      sort: { type: "text", value: "BY", choices: ["cpu", "memory", "name"], summary: "Default cpu" },
    },
    details: [
      "Machines are looked at every five seconds. CPU is what an instance used between two looks: 100 % is one CPU.",
    ],
    examples: ["ployzctl top", "ployzctl top prod/web --sort memory --once"],
    run: async (context, input) => (await import("./usage.ts")).top(context, input),
  },
  {
    path: ["logs"],
    summary: "Show logs, merged across instances",
    prints: ["logs"],
    args: [
      {
        name: "target",
        summary: "NAMESPACE, NAMESPACE/SERVICE, or NAMESPACE/SERVICE.N for one of several",
        required: true,
        source: "service",
      },
    ],
    options: {
      follow: { type: "flag", short: "f", summary: "Follow the logs until Ctrl-C" },
      tail: {
        type: "number",
        value: "N",
        summary: "Last lines of each instance to read; default 100, or all with --since or --until",
      },
      since: {
        type: "text",
        value: "TIME",
        summary: "From then on: 10m, 2h, 1d ago, or 2026-01-31T12:00:00Z",
      },
      until: { type: "text", value: "TIME", summary: "Until then" },
      grep: { type: "text", value: "REGEXP", summary: "Only lines that match, of those that are read" },
      stderr: { type: "flag", summary: "Only standard error" },
      previous: { type: "flag", summary: "Of the instances that were replaced or have ended" },
      instance: {
        type: "text",
        value: "ID",
        summary: "Only of one instance or run, by its id, also of one that has ended",
      },
    },
    details: [
      "Instances that were replaced, that failed, and jobs and runs that have ended keep their logs for a while: logs.keep_days and logs.keep_mib of the machine's configuration. They are shown with --since, --until and --previous, and for a job.",
      "--follow continues over deploys, and says on stderr which instances an operation has replaced.",
    ],
    examples: [
      "ployzctl logs prod/web",
      "ployzctl logs -f prod --since 10m",
      "ployzctl logs prod/migrate",
      "ployzctl logs prod/web.2",
      "ployzctl logs prod --since 1h --grep ERROR --stderr",
      "ployzctl logs prod/web --previous",
    ],
    run: async (context, input) => (await import("./logs.ts")).logs(context, input),
  },
  {
    path: ["audit"],
    summary: "Show changing calls to this machine, with caller and operation",
    prints: ["audit"],
    details: [
      "Each call that changed this machine, or failed to: its time, the machine that sent it, the operation, the command, its object and the outcome. For another machine: --host.",
    ],
    options: {
      follow: { type: "flag", short: "f", summary: "Follow the calls until Ctrl-C" },
      tail: { type: "number", value: "N", summary: "Last calls to show; default 100" },
    },
    examples: ["ployzctl audit", "ployzctl audit -f"],
    run: async (context, input) => (await import("./logs.ts")).audit(context, input),
  },
  {
    path: ["events"],
    summary: "Show changes in the cluster: commits, operations, machines",
    prints: ["events"],
    details: [
      "Of the past, the store keeps operations and commits. With --follow also: machines that stop answering or answer again, instances that change their state, warnings that are raised and cleared.",
    ],
    options: {
      follow: { type: "flag", short: "f", summary: "Follow the events until Ctrl-C" },
      since: {
        type: "text",
        value: "TIME",
        summary:
          "Show those from then on first: 12h, 7d ago, or 2026-01-31T12:00:00Z; default 1h, with --follow none",
      },
    },
    examples: ["ployzctl events --since 7d", "ployzctl events -f --json"],
    run: async (context, input) => (await import("./logs.ts")).events(context, input),
  },
  {
    path: ["gateway", "show"],
    summary: "Show the routes and instances that each machine's gateway serves",
    prints: ["gateways"],
    details: [
      "Routes, instances with their checks and sessions, waiting requests and certificates, as HAProxy has them at the moment; for committed routes: route ls.",
    ],
    options: {
      machine: { type: "text", value: "MACHINE", source: "machine", summary: "Only this machine's" },
    },
    examples: ["ployzctl gateway show", "ployzctl gateway show --machine m2 --json"],
    async run(context, input) {
      const name = input.text("machine");
      const machine = name === undefined ? undefined : await needLabel("--machine", name);
      return (await context.client()).request("GET /v1/gateways", {
        query: machine === undefined ? {} : { machine },
        signal: context.signal,
      });
    },
  },
  {
    path: ["gateway", "log"],
    summary: "Show logged requests, merged over the machines' gateways",
    prints: ["access-log"],
    args: [{ name: "target", summary: "NAMESPACE or NAMESPACE/SERVICE; default: all", source: "service" }],
    options: {
      follow: { type: "flag", short: "f", summary: "Follow the log until Ctrl-C" },
      machine: {
        type: "text",
        value: "MACHINE",
        source: "machine",
        summary: "Only requests to this machine's gateway",
      },
      tail: {
        type: "number",
        value: "N",
        summary: "Last requests of each machine; default 100, or all with --since or --until",
      },
      since: {
        type: "text",
        value: "TIME",
        summary: "From then on: 10m, 2h, 1d ago, or 2026-01-31T12:00:00Z",
      },
      until: { type: "text", value: "TIME", summary: "Until then" },
    },
    details: [
      "Logged are the requests of routes with log = true, or all with access_log.all in a machine's configuration. A line has its end's time, the gateway's machine, the client, the status, the method, the URL without its query, bytes, the time it took, the instance with its machine, and the X-Request-Id that the instance saw; --json has more.",
      "Each machine keeps its own log, access_log.keep_mib of it. Lines are lost while the machine's gateway follower restarts, and on a full disk; requests are served all the same.",
    ],
    examples: ["ployzctl gateway log -f prod/web", "ployzctl gateway log --since 10m --machine m2 --json"],
    run: async (context, input) => (await import("./logs.ts")).access(context, input),
  },
  {
    path: ["route", "ls"],
    summary: "List routes, and whether this machine's gateway serves them",
    prints: ["routes"],
    details: ["For the gateway of another machine: --host."],
    examples: ["ployzctl route ls"],
    run: async (context) => (await context.client()).request("GET /v1/routes", { signal: context.signal }),
  },
];
