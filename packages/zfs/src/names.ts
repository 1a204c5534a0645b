import { PloyzError } from "./error-codes.ts";

/** zfs(8), zfsconcepts(7): 256 bytes with the closing NUL, for a dataset or snapshot name in full. */
const MAX_NAME = 255;

/** zpool-create(8). `c0`, `c1t0…` parse as disks. */
const RESERVED_POOL = /^(mirror|raidz|draid|spare|log|c\d)/;

/** Stricter than ZFS: no space, and no component starts with a sign, so that no name parses as an option. */
const COMPONENT = /^[A-Za-z0-9][A-Za-z0-9_.:-]*$/;

/** @throws PloyzError `name_invalid`. */
export function checkPoolName(name: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_.:-]*$/.test(name) || name.length > MAX_NAME) {
    throw invalid("pool", name, "a letter, then letters, digits, _ - : and .");
  }
  if (RESERVED_POOL.test(name)) throw invalid("pool", name, "ZFS reserves that word");
  return name;
}

/** `pool/a/b`, or the pool itself. @throws PloyzError `name_invalid`. */
export function checkDatasetName(name: string): string {
  const [pool = "", ...rest] = name.split("/");
  if (name.length > MAX_NAME) throw invalid("dataset", name, `longer than ${MAX_NAME} characters`);
  checkPoolName(pool);
  if (!rest.every((component) => COMPONENT.test(component))) {
    throw invalid(
      "dataset",
      name,
      "components of letters, digits, _ - : and . that start with a letter or digit",
    );
  }
  return name;
}

/** `pool/a@snapshot`. @throws PloyzError `name_invalid`. */
export function checkSnapshotName(name: string): string {
  const [dataset = "", snapshot = "", ...rest] = name.split("@");
  if (rest.length > 0 || !COMPONENT.test(snapshot) || name.length > MAX_NAME) {
    throw invalid("snapshot", name, "expected DATASET@SNAPSHOT");
  }
  checkDatasetName(dataset);
  return name;
}

/** A dataset or a snapshot. @throws PloyzError `name_invalid`. */
export function checkName(name: string): string {
  return name.includes("@") ? checkSnapshotName(name) : checkDatasetName(name);
}

/** `pool/a#bookmark`. @throws PloyzError `name_invalid`. */
export function checkBookmarkName(name: string): string {
  const [dataset = "", bookmark = "", ...rest] = name.split("#");
  if (rest.length > 0 || !COMPONENT.test(bookmark) || name.length > MAX_NAME) {
    throw invalid("bookmark", name, "expected DATASET#BOOKMARK");
  }
  checkDatasetName(dataset);
  return name;
}

/** Lower case, as it is also the end of a user property's name. @throws PloyzError `name_invalid`. */
export function checkHoldTag(tag: string): string {
  if (/^[a-z0-9][a-z0-9_.:-]{0,127}$/.test(tag)) return tag;
  throw invalid("hold", tag, "1 to 128 lower-case letters, digits, _ - : and .");
}

/** zfs-send(8) -t. @throws PloyzError `name_invalid`. */
export function checkResumeToken(token: string): string {
  if (/^[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$/.test(token)) return token;
  throw invalid("resume token", token, "it is copied from the property receive_resume_token");
}

/** zfsprops(7), User Properties: a colon inside, lower case, at most 256. @throws PloyzError `property_invalid`. */
export function checkUserProperty(name: string, value: string): void {
  if (!/^[a-z0-9][a-z0-9_.+-]*:[a-z0-9:_.+-]+$/.test(name) || name.length > 256) {
    throw propertyInvalid(`${show(name)} is not a user property name (module:name, lower case)`);
  }
  // zfs prints tab-separated fields, one line each, and "-" for an absent value.
  if (value === "" || value === "-" || value.length > 1024 || /\p{Cc}/u.test(value)) {
    throw propertyInvalid(
      `the value of ${name} must be 1 to 1024 characters without control characters, and not "-"`,
    );
  }
}

export function propertyInvalid(message: string): PloyzError {
  return new PloyzError({ code: "property_invalid", message });
}

function invalid(what: string, name: string, why: string): PloyzError {
  return new PloyzError({ code: "name_invalid", message: `${show(name)} is not a ${what} name: ${why}` });
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
