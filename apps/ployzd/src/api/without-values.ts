import type { Commit, ServiceSpec } from "@ployz/primitives/protocol";

/** Shows names of environment variables and files, not their values, which may be passwords. Secrets are only names. */
export function withoutValues(commit: Commit): Commit {
  const hidden = <T extends { readonly spec: Program }>(
    workloads: Readonly<Record<string, T>>,
  ): Record<string, T> =>
    Object.fromEntries(
      Object.entries(workloads).map(([name, workload]) => {
        const { env, files } = workload.spec;
        const shown = { env: hiddenEnv(env), ...(files && { files: hiddenFiles(files) }) };
        return [name, { ...workload, spec: { ...workload.spec, ...shown } }];
      }),
    );
  return { ...commit, services: hidden(commit.services), jobs: hidden(commit.jobs) };
}

type Program = Pick<ServiceSpec, "env" | "files">;

const hiddenEnv = (env: Program["env"]): Program["env"] =>
  Object.fromEntries(
    Object.entries(env).map(([variable, value]) => [variable, typeof value === "string" ? "…" : value]),
  );
const hiddenFiles = (files: NonNullable<Program["files"]>): NonNullable<Program["files"]> =>
  Object.fromEntries(
    Object.entries(files).map(([path, { mode, owner, ...content }]) => [
      path,
      { ...("secret" in content ? content : { text: "…" }), mode, ...(owner && { owner }) },
    ]),
  );
