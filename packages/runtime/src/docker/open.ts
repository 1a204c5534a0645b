export interface DockerRuntimeOptions { readonly socketPath: string }
export async function openDockerRuntime(_o: DockerRuntimeOptions): Promise<never> { throw new Error("todo"); }
