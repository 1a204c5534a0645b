import type { Comparison } from "./measure.ts";

export interface SuiteOptions {
  readonly rounds: number;
  progress(text: string): void;
}

/** Measures, then removes everything it created. */
export type Suite = (options: SuiteOptions) => Promise<readonly Comparison[]>;
