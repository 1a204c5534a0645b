/** The two runtimes for `describe.each`, each with a program of a manifest that runs this script; a container has `busybox NAME` only, of the image `shop/web:v1`. */
export const runtimesWith = (script: string) =>
  [
    {
      runtime: "process",
      docker: false,
      program: `bundle = "./web"\ncommand = ${JSON.stringify(["sh", "-c", script.replaceAll("busybox ", "")])}`,
    },
    {
      runtime: "Docker",
      docker: true,
      program: `image = "shop/web:v1"\ncommand = ${JSON.stringify(["sh", "-c", script])}`,
    },
  ] as const;
