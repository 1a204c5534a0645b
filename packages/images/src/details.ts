import { configPlatform, type Platform } from "./manifest.ts";

/** What of an image's configuration matters to those who run it. */
export interface ConfigDetails {
  readonly platform?: Platform;
  /** RFC 3339. */
  readonly created?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly env: readonly string[];
  /** Such as `8080/tcp`. */
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

type Raw = Readonly<Record<string, unknown>>;

/** Reads a configuration; fields of another type are left out. https://github.com/opencontainers/image-spec/blob/main/config.md */
export function readDetails(bytes: Uint8Array): ConfigDetails {
  const raw = objectOf(JSON.parse(new TextDecoder().decode(bytes)));
  const config = objectOf(raw.config);
  const platform = configPlatform(bytes);
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  const texts = (value: unknown) =>
    (Array.isArray(value) ? value : []).filter((one: unknown): one is string => typeof one === "string");
  const [created, user, workingDir, stopSignal] = [
    text(raw.created),
    text(config.User),
    text(config.WorkingDir),
    text(config.StopSignal),
  ];
  return {
    ...(platform !== undefined && { platform }),
    ...(created !== undefined && { created }),
    ...(Array.isArray(config.Entrypoint) && { entrypoint: texts(config.Entrypoint) }),
    ...(Array.isArray(config.Cmd) && { command: texts(config.Cmd) }),
    ...(user !== undefined && { user }),
    ...(workingDir !== undefined && { workingDir }),
    ...(stopSignal !== undefined && { stopSignal }),
    env: texts(config.Env),
    ports: Object.keys(objectOf(config.ExposedPorts)).sort(),
    volumes: Object.keys(objectOf(config.Volumes)).sort(),
    labels: Object.fromEntries(
      Object.entries(objectOf(config.Labels)).filter(
        (label): label is [string, string] => typeof label[1] === "string",
      ),
    ),
  };
}

const objectOf = (value: unknown): Raw =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Raw) : {};
