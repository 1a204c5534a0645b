/** Data that survives a crash: everything a plan, a step's output, an event or a refusal holds. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | {
      readonly [key: string]: Json;
    };
//# sourceMappingURL=json.d.ts.map
