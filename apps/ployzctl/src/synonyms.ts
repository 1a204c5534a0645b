/** Other names of a noun. */
export const NOUNS: Readonly<Record<string, string>> = { network: "mesh" };

/** Other names of a verb, where a noun has that verb. */
export const VERBS: Readonly<Record<string, string>> = {
  list: "ls",
  remove: "rm",
  delete: "rm",
  follow: "watch",
};

/** What operators of other tools type, and the hint that they get: a command of today, or how to do without one. */
export const HINTS: Readonly<Record<string, string>> = {
  apply: "ployzctl deploy -f FILE",
  backup: "ployzctl store snapshot, or ployzctl volume export",
  clone: "ployzctl branch, or ployzctl volume fork",
  containers: "ployzctl ps",
  delete: "ployzctl namespace rm, ployzctl volume rm, or ployzctl machine rm",
  describe: "ployzctl show, ployzctl namespace show, or ployzctl machine show",
  destroy: "ployzctl namespace rm, or ployzctl mesh destroy",
  down: "ployzctl namespace rm, or ployzctl dev down",
  env: "ployzctl namespace ls",
  fork: "ployzctl branch, or ployzctl volume fork",
  get: "ployzctl status",
  info: "ployzctl status",
  init: "ployzctl mesh init, or ployzctl dev",
  inspect: "ployzctl show, ployzctl namespace show, or ployzctl machine show",
  install: "ployzctl daemon install",
  join: "ployzctl mesh join",
  kill: "ployzctl ops abort, or ployzctl namespace rm",
  list: "ployzctl ps, ployzctl namespace ls, or ployzctl machine ls",
  log: "ployzctl logs",
  login: "there is no login: give --host USER@MACHINE or PLOYZ_HOST to use another machine's daemon",
  ls: "ployzctl ps, ployzctl namespace ls, or ployzctl machine ls",
  move: "ployzctl migrate",
  node: "ployzctl machine ls",
  nodes: "ployzctl machine ls",
  operation: "ployzctl ops ls",
  operations: "ployzctl ops ls",
  remove: "ployzctl namespace rm, ployzctl volume rm, or ployzctl machine rm",
  restore: "ployzctl volume restore, or ployzctl store restore",
  rm: "ployzctl namespace rm, ployzctl volume rm, or ployzctl machine rm",
  run: "ployzctl deploy, or ployzctl deploy service",
  service: "ployzctl deploy service, or ployzctl ps",
  services: "ployzctl ps",
  snapshot: "ployzctl volume snapshot, or ployzctl store snapshot",
  ssh: "ployzctl machine show prints the endpoints of a machine, to log in there",
  undo: "ployzctl rollback",
  uninstall: "ployzctl daemon uninstall",
  up: "ployzctl deploy, or ployzctl dev",
  update: "ployzctl deploy, or ployzctl machine update",
  upgrade: "ployzctl machine update",
};

/** The same below a noun: verbs that mean one of its own. */
export const MEANINGS: Readonly<Record<string, readonly string[]>> = {
  abort: ["cancel", "stop", "kill"],
  create: ["add", "make", "new"],
  add: ["create", "join", "new"],
  fork: ["branch", "clone", "copy"],
  join: ["add", "connect"],
  leave: ["quit", "exit"],
  ls: ["all", "get"],
  revoke: ["cancel", "rm", "remove", "delete"],
  rm: ["destroy", "drop", "purge"],
  set: ["add", "create", "put", "update"],
  show: ["describe", "get", "info", "inspect", "status"],
  snapshot: ["backup"],
  status: ["info", "ls", "list", "show"],
  update: ["upgrade"],
  watch: ["attach", "follow", "tail", "wait"],
};
