import { run } from "@ployz/exec";
import type Docker from "dockerode";
import { imageUser } from "../process/users.ts";
import { engine, engineUnless } from "./errors.ts";

/** A file with more is no list of accounts. */
const MOST_BYTES = 4 * 2 ** 20;

/**
 * The numbers of `user` by the image's own passwd(5) and group(5), as the engine finds them at a start. It reads them from a container
 * that never starts: an image may have no program that could. @throws PloyzError `user_unknown`
 */
export async function userInImage(
  docker: Docker,
  { name, image, user }: { readonly name: string; readonly image: string; readonly user: string },
): Promise<{ readonly uid: number; readonly gid: number }> {
  const container = docker.getContainer(name);
  const remove = () =>
    engineUnless([404], `remove ${name}`, () => container.remove({ force: true, v: true }));
  await remove(); // a crash may have left it
  await engine(`look into ${image}`, () =>
    docker.createContainer({ name, Image: image, Entrypoint: ["/"], HostConfig: { NetworkMode: "none" } }),
  );
  try {
    const read = async (path: string): Promise<string> => {
      const archive = await engineUnless([404], `read ${path} of ${image}`, () =>
        container.getArchive({ path }),
      );
      if (archive === undefined) return "";
      const parts: Buffer[] = [];
      let size = 0;
      for await (const part of archive as AsyncIterable<Buffer>) {
        size += part.length;
        if (size <= MOST_BYTES) parts.push(part);
      }
      if (size > MOST_BYTES) return "";
      return (await run("tar", ["-xO"], { input: Buffer.concat(parts) })).stdout;
    };
    const { uid, gid } = imageUser(user, await read("/etc/passwd"), await read("/etc/group"));
    return { uid, gid };
  } finally {
    await remove();
  }
}
