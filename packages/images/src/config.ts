import { invalid } from "./manifest.ts";

/** The program in an image's configuration: https://github.com/opencontainers/image-spec/blob/main/config.md */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `user`, `user:group` or numbers, by the image's own passwd(5); empty: root. */
  readonly user: string;
  readonly workingDir: string;
  /** As it was written: `SIGINT`, `INT` or `2`. */
  readonly stopSignal: string | undefined;
  /** Folders that the image wants to be kept apart from its files. */
  readonly volumes: readonly string[];
}

type Raw = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Raw =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** @throws PloyzError `image_invalid` */
export function imageConfig(bytes: Uint8Array): ImageConfig {
  const { config = {} } = parsed(bytes);
  const fields = isObject(config) ? config : {};
  const text = (name: string): string => {
    const value = fields[name];
    return typeof value === "string" ? value : "";
  };
  return {
    entrypoint: words(fields.Entrypoint),
    command: words(fields.Cmd),
    env: Object.fromEntries(words(fields.Env).flatMap(variable)),
    user: text("User"),
    workingDir: text("WorkingDir"),
    stopSignal: text("StopSignal") === "" ? undefined : text("StopSignal"),
    volumes: isObject(fields.Volumes) ? Object.keys(fields.Volumes).sort() : [],
  };
}

function parsed(bytes: Uint8Array): Raw {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (isObject(value)) return value;
  } catch {
    // Reported below.
  }
  throw invalid("its configuration is malformed");
}

const words = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((word: unknown): word is string => typeof word === "string") : [];

function variable(text: string): readonly [string, string][] {
  const at = text.indexOf("=");
  return at > 0 ? [[text.slice(0, at), text.slice(at + 1)]] : [];
}
