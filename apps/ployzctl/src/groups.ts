import type { Group } from "./command.ts";

/** The top help: the most used first. Every noun stands in one group; one that is a command itself has the command's summary. */
export const GROUPS: readonly Group[] = [
  {
    title: "Run",
    nouns: {
      deploy: undefined,
      compose: "Convert Compose files",
      ps: undefined,
      top: undefined,
      logs: undefined,
      exec: undefined,
      run: undefined,
      cp: undefined,
      "port-forward": undefined,
      migrate: undefined,
      restart: undefined,
      stop: undefined,
      start: undefined,
      scale: undefined,
      schedule: "List, run, pause and resume schedules",
      secret: "Set, list and remove secrets",
      build: undefined,
      image: "Push, pull, distribute, list and remove images",
      registry: "Log in to registries that images come from",
      canary: "Finish or undo the try of a new version (deploy --canary)",
      gateway: "Show what gateways serve, and the requests that they log",
      route: "List routes, and put them into maintenance",
      cert: "Issue, import, renew and list TLS certificates",
    },
  },
  {
    title: "Environments",
    nouns: {
      branch: undefined,
      promote: undefined,
      rollback: undefined,
      history: undefined,
      show: undefined,
      namespace: "List, show and remove namespaces",
    },
  },
  {
    title: "Data",
    nouns: {
      volume: "List, snapshot, clone, restore, export and remove volumes",
      backup: "Back up volumes outside the cluster, and restore them",
    },
  },
  { title: "Machines", nouns: { machine: "Add, list, drain, update and remove machines" } },
  {
    title: "Cluster",
    nouns: {
      status: undefined,
      dashboard: undefined,
      ops: "List, follow and abort operations",
      events: undefined,
      alert: "Send conditions of the cluster to a URL; list, test and remove alerts",
      audit: undefined,
      token: "Create, list and revoke tokens for programs",
      store: "Show, back up, restore and rebuild the cluster's store",
      mesh: "Create, join and leave a cluster (alias: network)",
    },
  },
  {
    title: "This machine",
    nouns: {
      context: "Name clusters that are reached over SSH",
      dev: undefined,
      doctor: undefined,
      daemon: "Install, start, stop and remove ployzd",
      version: undefined,
      completion: undefined,
      schema: undefined,
    },
  },
];
