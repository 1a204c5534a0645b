import { usage } from "../../errors.ts";

/** A name that Docker takes: no digest, and no flag. */
const NAME = /^[a-z0-9](?:[a-z0-9._/:-]*[A-Za-z0-9_])?$|^[a-z0-9][A-Za-z0-9._/:-]*[A-Za-z0-9_]$/;
/** The path before the tag has no capitals; a host in front may have a port. */
const CAPITALS = /[A-Z].*\/|^[^:]*[A-Z]/;

/** The name that an image gets. @throws PloyzError `usage`, naming the field. */
export function needImageName(field: string, name: string): string {
  if (NAME.test(name) && !CAPITALS.test(name) && name.length <= 255) return name;
  throw usage(
    `${field}: ${JSON.stringify(name.slice(0, 100))} is not the name of an image`,
    "such as web:v4",
  );
}
