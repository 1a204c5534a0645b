import { setpriv } from "./confine.ts";
import type { ServiceSpec } from "./types.ts";

/** Quotes one word for sh(1): inside single quotes nothing is special but the single quote itself. */
export function shellWord(text: string): string {
  if (text.includes("\0")) throw new Error("a word holds NUL");
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The `run` file of an s6 service directory (s6-supervise(8)). */
export function renderRun(spec: ServiceSpec): string {
  const words = [
    ...(spec.user === undefined ? [] : ["s6-setuidgid", spec.user]),
    ...(spec.env === undefined
      ? []
      : ["env", ...Object.entries(spec.env).map(([name, value]) => `${name}=${value}`)]),
    ...(spec.confined === undefined ? [] : setpriv(spec.confined)),
    ...spec.argv,
  ];
  return [
    "#!/bin/sh",
    `# ${spec.description.replaceAll("\n", " ")}`,
    ...(spec.cwd === undefined ? [] : [`cd ${shellWord(spec.cwd)} || exit 111`]),
    `exec 2>&1 ${words.map(shellWord).join(" ")}`,
    "",
  ].join("\n");
}

/** The `finish` file: exit code 125 tells s6-supervise not to start the service again. */
export function renderFinish(spec: ServiceSpec): string | undefined {
  return spec.restart === "never" ? "#!/bin/sh\nexit 125\n" : undefined;
}

/** The logger: s6-log(8) with timestamps, ten files of a megabyte. */
export function renderLog(logDir: string): string {
  return `#!/bin/sh\nexec s6-log n10 s1000000 T ${shellWord(logDir)}\n`;
}
