/** Compose files in the shape of applications that are run often. */
export interface Stack {
  readonly name: string;
  readonly text: string;
  /** Files beside it. */
  readonly files?: Readonly<Record<string, string>>;
  readonly variables?: string;
  /** Instances that a deploy would start, jobs too; absent: it is refused. */
  readonly starts?: readonly string[];
  /** Each problem: its line and its key. */
  readonly refused?: readonly string[];
}
