/**
 * @typedef {import("./repository.mjs").Repository} Repository
 * @typedef {import("./repository.mjs").Violation} Violation
 */

/**
 * Every package names its layer, and depends only on the layers that the root's turbo.json allows.
 * @param {Repository} repository
 * @returns {Violation[]}
 */
export function checkPackages(repository) {
  const { packages, layers } = repository;
  return packages.flatMap((own) => {
    const path = `${own.dir}/package.json`;
    const tag = own.tag;
    if (tag === undefined || layers[tag] === undefined) {
      return [
        {
          rule: "layer",
          path,
          line: 1,
          message: `the turbo.json of ${own.name} has no tag of the root's turbo.json`,
        },
      ];
    }
    return own.dependencies.flatMap((name) => {
      const other = packages.find((candidate) => candidate.name === name);
      if (other === undefined || layers[tag]?.includes(other.tag ?? "")) return [];
      return [
        {
          rule: "layer",
          path,
          line: 1,
          message: `${own.name} (${tag}) may not depend on ${name} (${other.tag})`,
        },
      ];
    });
  });
}
