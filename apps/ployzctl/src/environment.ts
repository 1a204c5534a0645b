/** Environment variables that ployzctl and ployzd read. A flag wins over its variable. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  PLOYZ_CONFIG: "Path of the configuration file (--config)",
  PLOYZ_SOCKET: "Path of the daemon's socket (--socket)",
  PLOYZ_DATA_DIR: "Path of the daemon's data folder (--data-dir)",
  PLOYZ_HOST: "Machine whose daemon ployzctl uses over SSH, as user@machine (--host)",
  PLOYZ_CONTEXT: "Context whose cluster ployzctl uses (--context)",
  PLOYZ_TOKEN: "Token by which ployzctl uses a cluster, unless a flag or another variable names one",
  PLOYZ_REGION: "Placement label of the machine, read by ployzd",
  PLOYZ_AZ: "Availability zone of the machine, read by ployzd",
  PLOYZ_DEBUG: "If set, ployzctl prints the stack of an unexpected error",
  NO_COLOR: "If not empty, print without colour (--no-color)",
  FORCE_COLOR: "If not empty and not 0, print with colour also into a pipe; NO_COLOR wins",
  TERM: "If dumb, print without colour and without overwriting lines",
};
