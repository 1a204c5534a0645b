export { type ErrorBody, errorBody, type Json, PloyzError } from "./error.ts";
export {
  AREAS,
  type Area,
  defineErrors,
  type ErrorClass,
  type ErrorEntry,
  type ErrorExit,
  EXIT_OF,
} from "./registry.ts";
export { SHARED_ERRORS, type SharedErrorCode } from "./shared.ts";
