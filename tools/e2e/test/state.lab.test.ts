import { expect, it } from "vitest";
import { environmentWithData } from "../src/environment.ts";
import { difference, inventory } from "../src/inventory.ts";
import { LEDGER, ledgerBundles, ledgerManifest, rowsOf } from "../src/ledger.ts";

environmentWithData("ns", ({ cluster: opened, machineOf, done }) => {
  it("a volume goes out to a file and comes in on another machine; a file that is damaged leaves nothing", async () => {
    const cluster = opened();
    const rows = await rowsOf(cluster, 1);
    const from = await machineOf();
    const [asked = "", target = ""] = ["m1", "m2", "m3"].filter((id) => id !== from);
    const i = Number(asked.slice(1));
    const file = "/root/data.ployz-volume";
    await cluster.ctl(i, ["volume", "export", "prod/data", "-o", file]);
    await cluster.ctl(i, ["volume", "export", "prod/data", "-o", file], { ok: [3] });
    const spoil = `cd /root
size=$(stat -c %s ${file})
head -c $((size - 40)) ${file} > short
cp ${file} spoilt
printf spoilt | dd of=spoilt bs=1 seek=$((size / 2)) conv=notrunc status=none`;
    await cluster.lab.sh(i, ["sh", "-ec", spoil]);
    const before = await inventory(cluster);
    const take = (name: string, code: number) =>
      cluster.ctl(i, ["volume", "import", "copy/data", name, "--machine", target], { ok: [code] });
    const refused = [await take("/root/none", 2), await take("/etc/hostname", 2)];
    expect(refused.map(({ stderr }) => stderr).join()).toMatch(/no such file.*not an exported volume/s);
    for (const name of ["/root/short", "/root/spoilt"])
      expect((await take(name, 1)).stderr).toContain("the file is damaged");
    expect(difference(before, await inventory(cluster))).toEqual([]);

    // The second file has only what came after the first.
    const piped = `monday=$(ployzctl volume export prod/data monday --json | sed -n 's/.*"snapshot": *"\\([^"]*\\)".*/\\1/p')
ployzctl volume export prod/data - --since "$monday" >tuesday
ployzctl volume import copy/data tuesday --machine ${target} 2>alone && exit 1; grep -q 'only what changed since' alone
test $(wc -c <tuesday) -lt $(wc -c <monday)
ployzctl volume import copy/data monday tuesday --machine ${target} --json`;
    const { stdout } = await cluster.lab.sh(i, ["sh", "-ec", piped]);
    expect(JSON.parse(stdout)).toMatchObject({ state: "done", changed: true, owed: [] });
    const manifest = ledgerManifest({ namespace: "copy" }).replaceAll('host = "', 'host = "copy--');
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest, ledgerBundles)]);
    expect(await machineOf("copy")).toBe(target);
    expect(await rowsOf(cluster, 1, `copy--${LEDGER}`)).toEqual(rows);
    // Another snapshot than the one that was imported.
    await take(file, 3);
    expect(await done(1, ["namespace", "rm", "copy", "--yes"])).toMatchObject({ state: "done", owed: [] });
  });
});
