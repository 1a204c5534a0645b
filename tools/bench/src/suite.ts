import type { Comparison } from "./measure.ts";

export interface SuiteOptions {
  readonly rounds: number;
  progress(text: string): void;
}

/** Measures, and leaves nothing behind. */
export type Suite = (options: SuiteOptions) => Promise<readonly Comparison[]>;
