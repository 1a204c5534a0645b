import { PloyzError } from "./error-codes.ts";

export const usage = (message: string, hint?: string): PloyzError =>
  new PloyzError({ code: "usage", message, ...(hint !== undefined && { hint }) });
