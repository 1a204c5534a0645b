// Prints the package.json of the npm package: node npm-manifest.mjs MANIFEST_OF_THE_APP VERSION REPOSITORY
import { readFileSync } from "node:fs";

const [file, version, url] = process.argv.slice(2);
const { description, license, engines } = JSON.parse(readFileSync(file, "utf8"));
const manifest = {
  name: "ployzctl",
  version,
  description,
  license,
  repository: { type: "git", url: `git+${url}.git`, directory: "apps/ployzctl" },
  homepage: url,
  bugs: `${url}/issues`,
  type: "module",
  bin: { ployzctl: "lib/ployzctl.mjs" },
  files: ["lib", "version.json"],
  os: ["linux", "darwin"],
  engines,
  publishConfig: { access: "public", provenance: true },
};
process.stdout.write(`${JSON.stringify(manifest, null, 2)}\n`);
