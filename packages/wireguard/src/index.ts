export { type Cidr, formatCidr, parseCidr } from "./cidr.ts";
export type { EnsureResult } from "./converge.ts";
export {
  type CandidateEndpoint,
  candidateEndpoints,
  chooseEndpoint,
  formatEndpoint,
  type LocalInterfaces,
  observedAddress,
} from "./endpoints.ts";
export type { WireguardErrorCode } from "./error-codes.ts";
export { ensureKeyFile, generateKeyPair, isKey, type KeyPair, publicKeyOf, readKeyFile } from "./keys.ts";
export { localRoutes } from "./links.ts";
export { overlayMtu, type PathOptions, type PathVerdict, probePath } from "./mtu.ts";
export { checkPeers, type Peer, type PeerStatus, parseEndpoint } from "./peer.ts";
export {
  overlappingRoutes,
  planSubnet,
  type Route,
  type SubnetPlan,
  type SubnetRequest,
  subnetCapacity,
} from "./plan.ts";
export { probeWireguard, type WireguardSupport } from "./probe.ts";
export { measureRtt, type RttOptions } from "./rtt.ts";
export type { InterfaceOptions } from "./state.ts";
export {
  type HandshakeOptions,
  type InterfaceStatus,
  openWireguard,
  type Wireguard,
  type WireguardOptions,
} from "./wireguard.ts";
