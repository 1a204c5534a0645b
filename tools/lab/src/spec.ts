import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PloyzError } from "@ployz/errors";
import { machineName, stateDir, stateRoot } from "./names.ts";

/** `vm`: with its own kernel, emulated: real OpenZFS and WireGuard, and many times slower. */
export type LabKind = "ns" | "systemd" | "vm";

/** A lab's specification. Written once by `up`; everything else is derived from it or observed. */
export interface LabSpec {
  readonly name: string;
  readonly kind: LabKind;
  readonly machines: number;
  readonly docker: boolean;
  /** Without the programs that Ployz needs; the machine has a package source for them. */
  readonly bare: boolean;
  /** m1 can log in to the others as root. */
  readonly sshMesh: boolean;
  /** Overlay layers, top first. */
  readonly layers: readonly string[];
  /** A layer above them, which m1 to this machine have. */
  readonly payload?: { readonly layer: string; readonly upTo: number };
}

/** Creates the lab's state folder, which reserves the name. @throws PloyzError `lab_exists` */
export async function claimLab(name: string): Promise<void> {
  await mkdir(stateRoot, { recursive: true });
  try {
    await mkdir(stateDir(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new PloyzError(
      {
        code: "lab_exists",
        message: `lab ${name} already exists, whole or in part`,
        hint: `remove it with: lab down --name ${name}`,
      },
      { cause: error },
    );
  }
}

export async function writeSpec(spec: LabSpec): Promise<void> {
  const file = join(stateDir(spec.name), "lab.json");
  await writeFile(`${file}.next`, `${JSON.stringify(spec, undefined, 2)}\n`);
  await rename(`${file}.next`, file);
}

/** @throws PloyzError `lab_missing` */
export async function readSpec(name: string): Promise<LabSpec> {
  try {
    return JSON.parse(await readFile(join(stateDir(name), "lab.json"), "utf8")) as LabSpec;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new PloyzError(
      {
        code: "lab_missing",
        message: `lab ${name} does not exist`,
        hint: `create it with: lab up 3 --name ${name}`,
      },
      { cause: error },
    );
  }
}

/** Names of all labs on this host, also of those whose `up` never finished. */
export async function listLabs(): Promise<readonly string[]> {
  try {
    return (await readdir(stateRoot)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

export const indexes = (spec: LabSpec): readonly number[] =>
  Array.from({ length: spec.machines }, (_, i) => i + 1);

/** @throws PloyzError `machine_missing` */
export function checkIndex(spec: LabSpec, index: number): number {
  if (Number.isInteger(index) && index >= 1 && index <= spec.machines) return index;
  throw new PloyzError({
    code: "machine_missing",
    message: `lab ${spec.name} has no machine ${index}`,
    hint: `it has ${machineName(1)} to ${machineName(spec.machines)}`,
  });
}
