export { type ErrorBody, errorBody, type Json, PloyzError } from "./error.ts";
