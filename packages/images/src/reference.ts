import { PloyzError } from "./error-codes.ts";

/** An image's name, complete: `web:v4` is docker.io/library/web with the tag v4. */
export interface Reference {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** The grammar of distribution's references: https://github.com/distribution/reference */
const COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const REFERENCE = new RegExp(
  `^(?:((?=[^/]*[.:]|localhost/)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?)/)?(${COMPONENT}(?:/${COMPONENT})*)(?::(\\w[\\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
);
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HUB = "docker.io";

/** Whether it is `sha256:` and 64 hexadecimal digits. */
export const isDigest = (text: string): boolean => DIGEST.test(text);

/** @throws PloyzError `image_invalid`. Without tag and digest the tag is `latest`. */
export function parseReference(text: string): Reference {
  const found = REFERENCE.exec(text);
  const [, registry = HUB, path = "", tag, digest] = found ?? [];
  if (found === null || path.length > 255)
    throw new PloyzError({
      code: "image_invalid",
      message: `${JSON.stringify(text.slice(0, 200))} is not the name of an image`,
      hint: "for example web:v4, or registry.example.com/team/web:v4",
    });
  const hub = registry === HUB || registry === "index.docker.io";
  return {
    registry: hub ? HUB : registry,
    repository: hub && !path.includes("/") ? `library/${path}` : path,
    ...(digest === undefined && { tag: tag ?? "latest" }),
    ...(digest !== undefined && { ...(tag !== undefined && { tag }), digest }),
  };
}

/** One spelling for each image: registry, repository and tag, without the digest. */
export function fullName({ registry, repository, tag }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}`;
}

/** As people write it, and as Docker shows it. */
export function shortName(full: string): string {
  return full.replace(/^docker\.io\/(?:library\/)?/, "");
}
