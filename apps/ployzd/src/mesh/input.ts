import type { MeshInit } from "@ployz/primitives/client";
import { BODIES, JoinDocumentSchema, shaped } from "@ployz/primitives/host";
import { parseCidr } from "@ployz/wireguard";
import { PloyzError } from "../error-codes.ts";

const shape = shaped(BODIES["POST /v1/mesh/init"]);

/** What a request to make a mesh may hold. @throws PloyzError `invalid_input`, naming the field. */
export function checkedInit(document: unknown): MeshInit {
  const init = shape(document);
  if (init.clusterCidr !== undefined) checkCidr(init.clusterCidr);
  if (init.id !== undefined && init.id.slice(0, -"-7bd6c7c8".length) !== init.name)
    throw new PloyzError({
      code: "invalid_input",
      message: `id: ${init.id} is not of a cluster called ${init.name}`,
      hint: "give the cluster the name that it had",
      details: { field: "id" },
    });
  return init;
}

/** The document sent to a joining machine. @throws PloyzError `invalid_input`, naming the field. */
export const checkedJoin = shaped(JoinDocumentSchema);

const invalid = (message: string, hint: string) =>
  new PloyzError({ code: "invalid_input", message: `clusterCidr: ${message}`, hint });

/** Addresses that no machine can give to others: this network, loopback, link-local, multicast and beyond (RFC 6890). */
const UNUSABLE = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"];

/** @throws PloyzError `invalid_input`: not a network, or none that machines can have. */
export function checkCidr(text: string): void {
  const hint = "for example --cidr 10.101.0.0/16";
  let cidr: ReturnType<typeof parseCidr>;
  try {
    cidr = parseCidr(text);
  } catch (error) {
    throw invalid((error as Error).message, hint);
  }
  if (cidr.family !== 4 || cidr.prefix < 8 || cidr.prefix > 28)
    throw invalid(`${text} is not an IPv4 network of /8 to /28`, hint);
  const bad = UNUSABLE.find((one) => {
    const { network, prefix } = parseCidr(one);
    return prefix <= cidr.prefix && cidr.network >> BigInt(32 - prefix) === network >> BigInt(32 - prefix);
  });
  if (bad !== undefined) throw invalid(`${text} is in ${bad}, whose addresses machines cannot have`, hint);
}
