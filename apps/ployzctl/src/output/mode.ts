export interface Mode {
  readonly json: boolean;
  readonly plain: boolean;
  readonly color: boolean;
  readonly quiet: boolean;
}
