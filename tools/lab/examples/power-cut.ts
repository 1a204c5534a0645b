import { openLab } from "@ployz/lab";

const lab = await openLab({ machines: 2 });
try {
  await lab.sh(1, ["sh", "-c", "echo kept >/root/file"]);
  await lab.cut(1); // every process of m1 dies at once
  await lab.on(1); // m1 boots again from the same disk
  const { stdout } = await lab.sh(2, ["ping", "-c", "1", "-W", "1", lab.addresses[0] ?? ""]);
  console.log(stdout.includes("1 received"), (await lab.sh(1, ["cat", "/root/file"])).stdout.trim());
} finally {
  await lab.down();
}
