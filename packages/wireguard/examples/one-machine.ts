import { networkInterfaces } from "node:os";
import { openServiceHost } from "@ployz/exec";
import {
  candidateEndpoints,
  chooseEndpoint,
  ensureKeyFile,
  formatEndpoint,
  openWireguard,
  planSubnet,
} from "@ployz/wireguard";

export async function joinOverlay(dir: string, index: number, scanDir: string) {
  const { machineAddress, subnet } = planSubnet({ clusterCidr: "10.101.0.0/16", prefixLength: 24, index });
  const privateKeyFile = `${dir}/private.key`;
  const { publicKey } = await ensureKeyFile(privateKeyFile); // created here, mode 0600, never leaves the machine

  const services = await openServiceHost({ dir: scanDir, logDir: `${dir}/log` });
  const wireguard = openWireguard({ name: "ployz-wg0", dir, services });
  await wireguard.ensure({ privateKeyFile, address: `${machineAddress}/32`, listenPort: 51820 });

  const address = chooseEndpoint(candidateEndpoints(networkInterfaces(), { exclude: ["10.101.0.0/16"] }));
  const self = {
    publicKey,
    allowedIps: [subnet],
    ...(address && { endpoint: formatEndpoint(address, 51820) }),
  };
  return { wireguard, self }; // pass `self` to the other machines, then call wireguard.setPeers with theirs
}
