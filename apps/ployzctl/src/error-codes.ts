export { PloyzError } from "@ployz/errors";
