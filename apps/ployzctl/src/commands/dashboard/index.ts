import type { Command } from "../../command.ts";

export const dashboardCommands: readonly Command[] = [
  {
    path: ["dashboard"],
    prints: ["text"],
    summary: "Show the cluster live in a browser, until Ctrl-C",
    details: [
      "Serves a page on 127.0.0.1 of this computer. The printed address holds a token: who has it can read the cluster for as long as the command runs. The page changes nothing, and shows the command to copy instead; with --write it can restart, stop and start services, roll back, snapshot volumes, drain and activate machines, and abort operations, each after its plan was shown and confirmed.",
    ],
    options: {
      port: { type: "number", value: "N", summary: "Where to listen; default 7373, 0 takes any free one" },
      write: { type: "flag", summary: "Allow changes, each after a preview and a confirmation" },
      "no-open": { type: "flag", summary: "Do not open a browser" },
    },
    examples: ["ployzctl dashboard", "ployzctl dashboard --host root@m1 --port 0 --no-open"],
    run: async (context, input) => (await import("./dashboard.ts")).dashboard(context, input),
  },
];
