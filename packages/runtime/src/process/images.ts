import { constants } from "node:os";
import type { InstanceSpec } from "../runtime.ts";
import { invalid } from "../spec.ts";

/** The program in an image's configuration. */
export interface ImageProgram {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** By the image's own passwd(5); empty: root. */
  readonly user: string;
  readonly workingDir: string;
  /** `SIGINT`, `INT` or `2`. */
  readonly stopSignal: string | undefined;
  readonly volumes: readonly string[];
}

/** Images of the machine as files, by digest. */
export interface ImageFiles {
  /** Program, environment and user of the image's configuration. */
  program(image: string): Promise<ImageProgram>;
  /** The instance's own, writable copy of the image's files, made in constant time; the one that it has. Returns its folder. */
  root(id: string, image: string): Promise<string>;
  /** Ids of the instances that have one. */
  roots(): Promise<readonly string[]>;
  /** Idempotent. */
  removeRoot(id: string): Promise<void>;
  /** Where a path of the copy is on the machine. Links lead within it. `undefined`: there is nothing. */
  within(root: string, path: string): Promise<string | undefined>;
}

/** The spec with the fields of its image's configuration where it has none itself. Another entrypoint leaves the image's command out, as in Docker. */
export function withProgram(spec: InstanceSpec, image: ImageProgram): InstanceSpec {
  const entrypoint = spec.entrypoint ?? image.entrypoint;
  const command = spec.command ?? (spec.entrypoint === undefined ? image.command : []);
  if (entrypoint.length + command.length === 0)
    throw invalid(spec.id, "command", "is empty, and the image has none");
  const stopSignal = spec.stopSignal ?? signalName(image.stopSignal);
  return {
    ...spec,
    ...{ entrypoint, command, env: { ...image.env, ...spec.env } },
    user: spec.user ?? (image.user === "" ? "0" : image.user),
    workdir: spec.workdir ?? (image.workingDir === "" ? "/" : image.workingDir),
    ...(stopSignal !== undefined && { stopSignal }),
  };
}

/** `undefined` for none, and for one that no program here can be sent by name. */
export function signalName(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const names = Object.entries(constants.signals);
  const wanted = text.startsWith("SIG") ? text : `SIG${text}`;
  return names.find(([name, number]) => name === wanted || String(number) === text)?.[0];
}
